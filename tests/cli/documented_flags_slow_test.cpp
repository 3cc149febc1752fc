// Commands as the documents write them: each is known, and has the flags that it is given there.
#include <regex>

#include "tests/support/program.h"

namespace hijack::documented_flags_slow_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

/// "hijack attack --image F" in an indented line or between backticks; continued lines are one.
std::vector<std::string> commands_in(std::string text) {
  text = std::regex_replace(text, std::regex("\\\\\n *"), "");
  std::vector<std::string> found;
  const auto add = [&](std::string piece) {
    std::replace(piece.begin(), piece.end(), '\n', ' ');
    piece.resize(std::min(piece.size(), piece.find(" #")));
    static const std::regex command("(?:^|[ /])hijack ([a-z][^|;&]*)");
    const auto begin = std::sregex_iterator(piece.begin(), piece.end(), command);
    for (auto it = begin; it != std::sregex_iterator(); ++it)
      if (it->position() == 0 || piece.substr(0, it->position()).find(".py") == std::string::npos)
        found.push_back((*it)[1]);
  };
  static const std::regex quoted("`([^`]+)`"), indented("(?:^|\n) {4}([^\n]+)");
  for (const std::regex* kind : {&quoted, &indented})
    for (auto it = std::sregex_iterator(text.begin(), text.end(), *kind); it != std::sregex_iterator(); ++it)
      add((*it)[1]);
  return found;
}

std::vector<std::string> flags_in(const std::string& command) {
  static const std::regex flag("(?:^|[ `'\"])(--[a-z][a-z0-9-]*)");
  std::vector<std::string> found;
  for (auto it = std::sregex_iterator(command.begin(), command.end(), flag); it != std::sregex_iterator();
       ++it)
    found.push_back((*it)[1]);
  return found;
}

/// "attack"; of `train` and `models` with what follows: "train sae".
std::string name_of(const std::string& command) {
  std::smatch words;
  static const std::regex two("^(train|models) ([a-z-]+)"), one("^[a-z]+");
  if (std::regex_search(command, words, two) && words[2].str()[0] != '-') return words[0];
  std::regex_search(command, words, one);
  return words[0];
}

bool has_flag(const std::string& help, const std::string& flag) {
  return std::regex_search(help, std::regex(flag + "(?![a-z0-9-])"));
}

TEST_F(Program, TheDocumentsCommandsHaveTheirFlags) {
  std::vector<fs::path> documents = {kRoot + "/README.md", kRoot + "/CONTRIBUTING.md"};
  for (const char* folder : {"attacks", "defenses", "models", "samples", "src", "tests"})
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(kRoot) / folder))
      if (entry.path().extension() == ".md") documents.push_back(entry.path());
  std::map<std::string, std::string> helps;
  size_t checked = 0;
  for (const fs::path& document : documents)
    for (const std::string& command : commands_in(read_file(document))) {
      SCOPED_TRACE(document.lexically_relative(kRoot).string() + ": hijack " + command);
      const std::string name = name_of(command);
      if (name == "help" || !command.starts_with(name)) continue;
      if (!helps.contains(name)) {
        const Outcome help = run("help " + name);
        EXPECT_EQ(help.code, 0) << help.err;
        helps[name] = help.out;
      }
      for (const std::string& flag : flags_in(command)) {
        EXPECT_TRUE(has_flag(helps.at(name), flag)) << flag;
        ++checked;
      }
    }
  EXPECT_GT(checked, 200u);
  EXPECT_GT(helps.size(), 15u);
}

TEST(DocumentedFlags, TestsTellWhatTheCheckerCanSee) {
  const std::string text =
      "Say `hijack report RUN\n--json`:\n\n    build/hijack train sae --rate 1 \\\n      --out F   # "
      "--not-this\n"
      "    tests/kill.py hijack samples --kills 5\nNo hijack attack --here.\n";
  EXPECT_EQ(commands_in(text),
            (std::vector<std::string>{"report RUN --json", "train sae --rate 1 --out F  "}));
  EXPECT_EQ(name_of("train sae --rate 1"), "train sae");
  EXPECT_EQ(name_of("models --list"), "models");
  EXPECT_EQ(flags_in("train sae --rate 1 --out F"), (std::vector<std::string>{"--rate", "--out"}));
  EXPECT_TRUE(has_flag("  --rate X", "--rate"));
  EXPECT_FALSE(has_flag("  --rates X", "--rate"));
}

}  // namespace
}  // namespace hijack::documented_flags_slow_test
