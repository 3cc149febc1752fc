// The documents as a test: what they point to exists, and every name that can be chosen is in its manual.
#include <gtest/gtest.h>

#include <regex>

#include "attacks/behavior.h"
#include "attacks/constraint.h"
#include "attacks/objectives/make_objective.h"
#include "attacks/optimizer.h"
#include "attacks/wrappers/augmentation.h"
#include "defenses/make_defense.h"
#include "models/load_model.h"
#include "src/base/file.h"
#include "src/experiment/plan/methods.h"
#include "src/experiment/plan/presets.h"
#include "src/experiment/plan/recipe.h"

namespace hijack::documents_test {
namespace {

namespace fs = std::filesystem;
const fs::path kRoot = HIJACK_SOURCE_DIR;

/// All *.md of the project.
std::vector<fs::path> documents() {
  std::vector<fs::path> found = {kRoot / "README.md", kRoot / "CONTRIBUTING.md", kRoot / "CHANGELOG.md"};
  for (const char* folder : {"attacks", "defenses", "models", "samples", "src", "tests"})
    for (const auto& entry : fs::recursive_directory_iterator(kRoot / folder))
      if (entry.path().extension() == ".md") found.push_back(entry.path());
  return found;
}

std::vector<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), pattern), end; it != end; ++it)
    found.push_back((*it)[1]);
  return found;
}

/// What [text](target) points to, within the project.
std::vector<std::string> links(const std::string& text) {
  static const std::regex link("\\]\\(([^)\\s]+)\\)");
  std::vector<std::string> found = matches(text, link);
  std::erase_if(found, [](const std::string& target) { return target.find("://") != std::string::npos; });
  return found;
}

/// What is written as a path from the root, wherever it stands.
std::vector<std::string> paths(const std::string& text) {
  static const std::regex path(
      "(?:^|[\\s`'\"(=])((?:attacks|defenses|models|samples|src|tests)/[A-Za-z0-9_][A-Za-z0-9_./-]*)");
  std::vector<std::string> found = matches(text, path);
  for (std::string& one : found)
    while (one.ends_with('.') || one.ends_with('-')) one.pop_back();
  return found;
}

/// As GitHub makes them from headings.
std::set<std::string> anchors(const std::string& text) {
  static const std::regex heading("(?:^|\n)#+ ([^\n]+)");
  std::set<std::string> found;
  for (const std::string& title : matches(text, heading)) {
    std::string anchor;
    for (const char c : title) {
      if (std::isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_')
        anchor += static_cast<char>(std::tolower(c));
      else if (c == ' ')
        anchor += '-';
    }
    found.insert(anchor);
  }
  return found;
}

/// A file or folder of this name, or files of this name with an ending.
bool is_there(const fs::path& path) {
  if (fs::exists(path)) return true;
  if (!fs::is_directory(path.parent_path())) return false;
  for (const auto& entry : fs::directory_iterator(path.parent_path()))
    if (entry.path().filename().string().starts_with(path.filename().string() + ".")) return true;
  return false;
}

TEST(Documents, LinksLeadSomewhere) {
  size_t checked = 0;
  for (const fs::path& document : documents()) {
    SCOPED_TRACE(document.lexically_relative(kRoot));
    for (const std::string& link : links(read_file(document))) {
      const size_t hash = std::min(link.find('#'), link.size());
      const fs::path target = hash == 0 ? document : document.parent_path() / link.substr(0, hash);
      EXPECT_TRUE(fs::exists(target)) << link;
      if (hash < link.size() && fs::is_regular_file(target)) {
        EXPECT_TRUE(anchors(read_file(target)).contains(link.substr(hash + 1))) << link;
      }
      ++checked;
    }
  }
  EXPECT_GT(checked, 20u);
}

TEST(Documents, PathsExist) {
  size_t checked = 0;
  for (const fs::path& document : documents()) {
    if (document.filename() == "CHANGELOG.md") continue;  // tells what was, too
    SCOPED_TRACE(document.lexically_relative(kRoot));
    for (const std::string& path : paths(read_file(document))) {
      EXPECT_TRUE(is_there(kRoot / path)) << path;
      ++checked;
    }
  }
  EXPECT_GT(checked, 50u);
}

TEST(Documents, TheFrontPageIsShort) {
  const std::string text = read_file(kRoot / "README.md");
  EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 150);
}

TEST(Documents, TheLibrarySnippetIsPartOfTheQuickstart) {
  const std::string text = read_file(kRoot / "README.md");
  const std::string program = read_file(kRoot / "samples/quickstart.cpp");  // compiled and run
  const size_t begin = text.find("\n## As a library\n");
  ASSERT_NE(begin, std::string::npos);
  static const std::regex code("\n {4,}([^\n]+)");
  const auto lines = matches(text.substr(begin, text.find("\n## ", begin + 1) - begin), code);
  EXPECT_GT(lines.size(), 5u);
  for (const std::string& line : lines) EXPECT_NE(program.find(line), std::string::npos) << line;
}

TEST(Documents, ManualsKnowEveryName) {
  const auto check = [](const char* manual, const std::vector<std::string>& names) {
    const std::string text = read_file(kRoot / manual);
    EXPECT_FALSE(names.empty());
    for (const std::string& name : names)
      EXPECT_NE(text.find("`" + name + "`"), std::string::npos) << manual << " does not say `" << name << "`";
  };
  check("attacks/README.md", behavior_names());
  check("attacks/README.md", constraint_names());
  check("attacks/README.md", objective_names());
  check("attacks/README.md", optimizer_names());
  check("attacks/README.md", augmentation_names());
  check("attacks/README.md", method_names());
  check("defenses/README.md", defense_names());
  check("models/README.md", supported_families());
  std::vector<std::string> presets;
  for (const Preset& preset : list_presets(kRoot / "samples/presets")) presets.push_back(preset.name);
  check("attacks/README.md", presets);
  check("samples/reports/README.md", recipe_names(kRoot / "samples/recipes"));
}

TEST(Documents, TestsTellWhatTheCheckerCanSee) {
  EXPECT_EQ(links("[a](b.md#c-d), ![x](../y.png) and [web](https://example.org)"),
            (std::vector<std::string>{"b.md#c-d", "../y.png"}));
  EXPECT_EQ(paths("`src/base/error.h`, models/query.h. Not a/src/x, nor tests/*/make.py."),
            (std::vector<std::string>{"src/base/error.h", "models/query.h"}));
  EXPECT_EQ(anchors("# A title\ntext\n## What is `x`?\n"), (std::set<std::string>{"a-title", "what-is-x"}));
  EXPECT_TRUE(is_there(kRoot / "models/query"));
  EXPECT_FALSE(is_there(kRoot / "models/quer"));
}

}  // namespace
}  // namespace hijack::documents_test
