// What a user reads at a terminal: help with headings, and the lists of defenses and models.
#include <nlohmann/json.hpp>

#include "src/cli/text.h"
#include "tests/support/program.h"

namespace hijack::help_test {
namespace {

using namespace support;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

class Help : public Program {
 protected:
  /// On a terminal of so many columns.
  Outcome columns(int width, const std::string& arguments) {
    write_file(at("wide.sh"), "COLUMNS=" + std::to_string(width) + " " HIJACK_PROGRAM " " + arguments + "\n");
    const int status = std::system(("bash " + at("wide.sh") + " >" + at("out") + " 2>" + at("err")).c_str());
    return {WEXITSTATUS(status), read_file(at("out")), read_file(at("err"))};
  }
};

TEST_F(Help, OfAttackHasHeadingsInAnOrder) {
  const std::string help = run("attack --help").out;
  size_t before = 0;
  for (const char* heading : {"\nWhat:\n", "\nBudget:\n", "\nObjective:\n", "\nSearch:\n", "\nContexts:\n",
                              "\nDefenses:\n", "\nMachine:\n", "\nRun:\n", "\nOutput:\n"}) {
    const size_t at = help.find(heading);
    ASSERT_NE(at, std::string::npos) << heading;
    EXPECT_GT(at, before) << heading;
    before = at;
  }
  EXPECT_LE(lines_of(help).size(), 144u) << "two screens or so";
  EXPECT_EQ(help.find("quality=75  1 (worst)"), std::string::npos) << "defenses have a command of their own";
  EXPECT_NE(help.find("hijack defenses"), std::string::npos);
}

TEST_F(Help, ExplainsRareFlagsOnRequest) {
  const std::string brief = run("attack --help").out;
  EXPECT_NE(brief.find("--apgd-alpha"), std::string::npos) << "named";
  EXPECT_EQ(brief.find("first step as a multiple of the radius"), std::string::npos);
  const std::string all = run("attack --help-all").out;
  EXPECT_NE(all.find("first step as a multiple of the"), std::string::npos);
  EXPECT_EQ(run("help attack all").out, all);
  const std::string search = run("help attack search").out;
  EXPECT_TRUE(search.starts_with("Search:\n")) << search;
  EXPECT_NE(search.find("first step as a multiple of the"), std::string::npos);
  EXPECT_EQ(search.find("--epsilon"), std::string::npos) << "of another heading";
}

TEST_F(Help, IsACommandToo) {
  EXPECT_EQ(run("help").out, run("--help").out);
  EXPECT_EQ(run("help attack").out, run("attack --help").out);
  EXPECT_EQ(run("help models inspect").out, run("models inspect --help").out);
  EXPECT_EQ(run("").out, run("--help").out);
  expect_refused("help atack", "did you mean 'attack'");
  expect_refused("help models inspekt", "did you mean 'inspect'");
  expect_refused("help attack serch", "did you mean 'search'");
  expect_refused("help attack search budget", "there is no command 'budget'");
}

TEST_F(Help, FitsTheTerminal) {
  for (const int width : {60, 80}) {
    for (const char* command :
         {"--help", "attack --help", "attack --help-all", "evaluate --help", "run --help", "chat --help",
          "defenses", "defenses judge", "models inspect --help"}) {
      const Outcome outcome = columns(width, command);
      EXPECT_EQ(outcome.code, 0) << outcome.err;
      for (const std::string& line : lines_of(outcome.out)) {
        const auto columns = std::count_if(
            line.begin(), line.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
        EXPECT_TRUE(columns <= width || line.find(' ', line.find_first_not_of(' ')) == std::string::npos)
            << command << " at " << width << ": " << line;
      }
    }
  }
  EXPECT_EQ(columns(0, "attack --help").out, columns(80, "attack --help").out) << "COLUMNS=0 says nothing";
}

TEST(Wrapped, BreaksBetweenWords) {
  using cli::item_text, cli::wrapped;
  EXPECT_EQ(wrapped("one two three", 7, 2), "one two\n  three");
  EXPECT_EQ(wrapped("unbreakable", 4, 0), "unbreakable");
  EXPECT_EQ(wrapped("a\nb", 80, 1), "a\n b") << "its own breaks";
  EXPECT_EQ(wrapped("é é é", 3, 0), "é é\né") << "code points, not bytes";
  EXPECT_EQ(item_text("--a N", "text", 80, 10), "  --a N   text\n");
  EXPECT_EQ(item_text("--long-name N", "text", 80, 10), "  --long-name N\n          text\n");
  EXPECT_EQ(item_text("--a N", "text", 30, 10), "  --a N\n      text\n") << "no room beside it";
}

TEST_F(Program, DefensesAreListedWithTheirKind) {
  const Outcome list = run("defenses");
  ASSERT_EQ(list.code, 0) << list.err;
  for (const char* words :
       {"image: ", "text: ", "detector: ", "votes: ", "  jpeg ", "  smoothvlm ", "  ocr "})
    EXPECT_NE(list.out.find(words), std::string::npos) << words << list.out;
  const Outcome jpeg = run("defenses jpeg");
  EXPECT_NE(jpeg.out.find("quality=75"), std::string::npos) << jpeg.out;
  EXPECT_NE(jpeg.out.find("--defense jpeg:quality=75"), std::string::npos) << jpeg.out;
  expect_refused("defenses jpg", "did you mean 'jpeg'");
  const Outcome former = run("defenses mask_vote");
  EXPECT_EQ(former.code, 0);
  EXPECT_NE(former.out.find("smoothvlm (votes)"), std::string::npos) << former.out;
  EXPECT_NE(former.err.find("defense mask_vote is called smoothvlm now."), std::string::npos) << former.err;
}

TEST_F(Program, DefensesForScripts) {
  const auto rows = lines_of(run("defenses --json").out);
  ASSERT_GT(rows.size(), 15u);
  for (const std::string& row : rows) EXPECT_EQ(nlohmann::json::parse(row).at("kind"), "defense");
  const Outcome one = run("defenses noise --json");
  const auto noise = nlohmann::json::parse(one.out);
  EXPECT_EQ(noise.at("name"), "noise");
  EXPECT_EQ(noise.at("works_on"), "image");
  EXPECT_EQ(noise.at("parameters").at(0).at("name"), "sigma");
  EXPECT_EQ(noise.at("parameters").at(0).at("default"), 8);
  expect_refused("defenses jpg --json", "did you mean 'jpeg'");
}

TEST_F(Program, ModelsListNamesTextDecoders) {
  const std::string list = run("models --list").out;
  EXPECT_NE(list.find("llava\n"), std::string::npos) << list;
  for (const char* name : {"llama ", "qwen2 ", "gemma ", "gemma2 ", "gemma3_text "})
    EXPECT_NE(list.find(std::string("\n") + name), std::string::npos) << name << list;
  EXPECT_NE(list.find("text only: gcg, defenses with model=DIR"), std::string::npos) << list;
  EXPECT_EQ(list.find("qwen2_vl_text"), std::string::npos) << "no checkpoint of its own";
  std::map<std::string, bool> images;
  for (const std::string& line : lines_of(run("models --list --json").out)) {
    const auto row = nlohmann::json::parse(line);
    if (row.at("kind") == "family") images[row.at("name")] = row.at("images");
  }
  EXPECT_TRUE(images.at("qwen2_vl"));
  EXPECT_FALSE(images.at("gemma"));
  expect_refused("models --json", "--json belongs to hijack models --list");
}

TEST_F(Program, ShortNamesOfModels) {
  std::filesystem::create_directories(at("data/contexts"));
  setenv("HIJACK_DATA", at("data").c_str(), 1);
  const std::string list = run("models --list").out;
  EXPECT_NE(list.find("--model smollm2 "), std::string::npos) << list;
  EXPECT_NE(list.find("not made yet; 'make smollm2' makes it"), std::string::npos) << list;
  expect_refused("models inspect smollm2", "has not been made");
  expect_refused(attack("--model smollm2"), "'make smollm2' makes it");
  expect_refused(attack("--transfer smollm2-text"), "'make smollm2' makes it");
  std::filesystem::create_directories(at("build/models"));
  copy_of("llava/clip_gqa", "build/models/smollm2-vision");
  EXPECT_NE(run("models inspect smollm2").out.find("supported             yes"), std::string::npos);
  const Outcome done = run(attack("--model smollm2 --steps 1 --out " + at("run")));
  EXPECT_EQ(done.code, 0) << done.err;
  const auto manifest = nlohmann::json::parse(read_file(at("run/manifest.json")));
  EXPECT_EQ(manifest.at("models").begin().value().at("folder"), "made:smollm2") << "no path of this machine";
  EXPECT_EQ(run("evaluate " + at("run") + " --defense jpeg --utility 0 --suffix-steps 0").code, 0);
  std::filesystem::remove_all(at("build/models/smollm2-vision"));
  expect_refused("evaluate " + at("run") + " --defense jpeg", "has not been made");
  unsetenv("HIJACK_DATA");
}

TEST_F(Program, FormerNamesOfDefensesAreNoted) {
  const std::string note = "defense mask_vote is called smoothvlm now.";
  const Outcome attacked = run(attack("--steps 1 --defense mask_vote:copies=2 --out " + at("run")));
  ASSERT_EQ(attacked.code, 0) << attacked.err;
  EXPECT_NE(attacked.err.find(note), std::string::npos) << attacked.err;
  const std::string rest = " --utility 1 --suffix-steps 0";
  expect_refused("evaluate " + at("run") + " --defense median" + rest, "attacked behind its own defenses");
  ASSERT_EQ(run(attack("--steps 1 --out " + at("plain"))).code, 0);
  const Outcome evaluated = run("evaluate " + at("plain") + " --defense mask_vote:copies=2" + rest);
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_NE(evaluated.err.find(note), std::string::npos) << evaluated.err;
  EXPECT_EQ(run("evaluate " + at("plain") + " --defense smoothvlm:copies=2" + rest).err.find("is called"),
            std::string::npos);
  const Outcome chat =
      run("chat --image " + kPhoto + " --prompt x --max-new-tokens 2 --defense mask_vote:copies=2");
  EXPECT_NE(chat.err.find(note), std::string::npos) << chat.err;
}

}  // namespace
}  // namespace hijack::help_test
