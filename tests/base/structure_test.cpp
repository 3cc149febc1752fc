// The architecture as a test: dependencies point one way, files stay small.
#include <gtest/gtest.h>

#include <regex>

#include "src/base/file.h"

namespace hijack::structure_test {
namespace {

namespace fs = std::filesystem;
const fs::path kRoot = HIJACK_SOURCE_DIR;

/// Which of the project's folders a folder may include.
const std::map<std::string, std::set<std::string>> kMayInclude = {
    {"src/base", {}},
    {"models", {"src/base"}},
    {"attacks", {"src/base", "models"}},
    {"defenses", {"src/base", "models"}},
    {"src/pocket", {"src/base", "models"}},
    {"src/experiment", {"src/base", "models", "attacks", "defenses", "src/pocket"}},
    {"src/cli", {"src/base", "models", "attacks", "defenses", "src/pocket", "src/experiment"}},
};

/// The folder of kMayInclude that a path from the root lies in, or "".
std::string folder_of(const std::string& path) {
  for (const auto& [folder, allowed] : kMayInclude)
    if (path.starts_with(folder + "/")) return folder;
  return "";
}

std::vector<fs::path> sources(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".h" || entry.path().extension() == ".cpp") found.push_back(entry.path());
  return found;
}

std::vector<std::string> project_includes(const std::string& text) {
  static const std::regex include("(?:^|\n)[ \t]*#[ \t]*include[ \t]*\"([^\"]+)\"");
  std::vector<std::string> found;
  for (std::sregex_iterator it(text.begin(), text.end(), include), end; it != end; ++it)
    found.push_back((*it)[1]);
  return found;
}

TEST(Structure, DependenciesPointOneWay) {
  size_t checked = 0;
  for (const auto& [folder, allowed] : kMayInclude)
    for (const auto& file : sources(kRoot / folder))
      for (const auto& include : project_includes(read_file(file))) {
        const std::string target = folder_of(include);
        const fs::path from = file.lexically_relative(kRoot);
        EXPECT_NE(target, "") << from << " includes \"" << include << "\": write it from the project's root";
        EXPECT_TRUE(target == folder || allowed.contains(target))
            << from << " must not include " << include << ": " << folder << " may not know " << target;
        ++checked;
      }
  EXPECT_GT(checked, 50u);
}

TEST(Structure, NoFileIsOver400Lines) {
  for (const char* folder : {"src", "models", "attacks", "defenses", "tests"})
    for (const auto& file : sources(kRoot / folder)) {
      const std::string text = read_file(file);
      EXPECT_LE(std::count(text.begin(), text.end(), '\n'), 400) << file.lexically_relative(kRoot);
    }
}

TEST(Structure, OnlyTheCommandLinePrintsOrExits) {
  static const std::regex forbidden("std::c(?:out|err)\\b|\\b(?:std::)?(?:exit|abort)\\(|\\bprintf\\(");
  for (const auto& [folder, allowed] : kMayInclude) {
    if (folder == "src/cli") continue;
    for (const auto& file : sources(kRoot / folder)) {
      const std::string text = read_file(file);
      std::smatch match;
      EXPECT_FALSE(std::regex_search(text, match, forbidden))
          << file.lexically_relative(kRoot) << " uses " << match.str() << ": throw Error and return results";
    }
  }
}

TEST(Structure, TestsTellWhatTheCheckerCanSee) {
  EXPECT_EQ(
      project_includes("#include \"models/query.h\"\n#include <vector>\n  # include \"src/base/error.h\"\n"),
      (std::vector<std::string>{"models/query.h", "src/base/error.h"}));
  EXPECT_EQ(folder_of("attacks/attack.h"), "attacks");
  EXPECT_EQ(folder_of("src/base/error.h"), "src/base");
  EXPECT_EQ(folder_of("error.h"), "");
}

}  // namespace
}  // namespace hijack::structure_test
