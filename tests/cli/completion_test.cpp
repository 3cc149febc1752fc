// Completion scripts, sourced by real shells.
#include "tests/support/program.h"

namespace hijack::completion_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

class Completion : public Program {
 protected:
  Completion() {
    for (const char* shell : {"bash", "zsh"}) {
      const Outcome script = run(std::string("completion ") + shell);
      EXPECT_EQ(script.code, 0) << script.err;
      write_file(at(std::string("hijack.") + shell), script.out);
    }
    fs::create_directories(at("here/folder"));
    write_file(at("here/photo.png"), "");
  }

  std::set<std::string> lines_of_script(const std::string& shell, const std::string& text) {
    write_file(at("script"), "cd " + at("here") + "\n" + text);
    const int status =
        std::system((shell + " " + at("script") + " >" + at("out") + " 2>" + at("err")).c_str());
    EXPECT_EQ(status, 0) << read_file(at("err"));
    EXPECT_EQ(read_file(at("err")), "");
    std::set<std::string> lines;
    std::istringstream stream(read_file(at("out")));
    for (std::string line; std::getline(stream, line);)
      if (!line.empty()) lines.insert(line);
    return lines;
  }

  /// What bash offers for the last of the words.
  std::set<std::string> bash(const std::string& words) {
    return lines_of_script("bash", "source " + at("hijack.bash") + "\nCOMP_WORDS=(hijack " + words +
                                       ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_hijack\nprintf '%s\\n' "
                                       "\"${COMPREPLY[@]}\"\n");
  }

  /// What zsh is told to offer: its own completion system is replaced by one that prints.
  std::set<std::string> zsh(const std::string& words) {
    return lines_of_script("zsh -f",
                           "compdef() { [[ $2 == hijack ]] }\n_files() { print -r -- files $@ }\n"
                           "compadd() { shift; print -rl -- $@ }\n"
                           "_describe() { print -rl -- ${(P)3%%:*} }\nsource " +
                               at("hijack.zsh") + "\nwords=(hijack " + words +
                               ")\nCURRENT=$#words\n_hijack\n");
  }
};

using Set = std::set<std::string>;

bool has(const Set& all, const Set& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

TEST_F(Completion, BashKnowsCommandsFlagsAndNames) {
  EXPECT_TRUE(has(bash("''"), {"attack", "evaluate", "defenses", "help", "completion"}));
  EXPECT_EQ(bash("att"), Set{"attack"});
  EXPECT_EQ(bash("attack --eps"), Set{"--epsilon"});
  EXPECT_TRUE(has(bash("attack --"), {"--epsilon", "--apgd-alpha", "--json", "--quiet", "--help"}));
  EXPECT_FALSE(bash("attack --").contains("--recompute")) << "hidden";
  EXPECT_EQ(bash("attack --behavior st"), Set{"string"});
  EXPECT_EQ(bash("attack --behavior = st"), Set{"string"}) << "--behavior=st, as bash splits it";
  EXPECT_EQ(bash("attack --constraint li"), Set{"linf"});
  EXPECT_EQ(bash("attack --optimizer ap"), Set{"apgd"});
  EXPECT_EQ(bash("train robust-tower --method fa"), Set{"fare"});
  EXPECT_EQ(bash("attack --method gc"), Set{"gcg"}) << "of another command";
  EXPECT_EQ(bash("attack --defense smooth"), (Set{"smoothing", "smoothvlm"}));
  EXPECT_EQ(bash("attack --defense jpeg bit"), Set{"bit_depth"}) << "further values of a list";
  EXPECT_TRUE(has(bash("attack --preset ''"), {"cropa"}));
  EXPECT_FALSE(bash("reproduce ''").empty()) << "recipes";
  EXPECT_EQ(bash("defenses jp"), Set{"jpeg"});
  EXPECT_EQ(bash("report --format la"), Set{"latex"});
  EXPECT_EQ(bash("models ins"), Set{"inspect"});
  EXPECT_EQ(bash("models inspect --h"), Set{"--help"});
  EXPECT_EQ(bash("help rep"), (Set{"report", "reproduce"}));
  EXPECT_EQ(bash("help attack bud"), Set{"budget"});
  EXPECT_EQ(bash("help models ''"), Set{"inspect"});
  EXPECT_EQ(bash("completion z"), Set{"zsh"});
}

TEST_F(Completion, BashOffersFilesOtherwise) {
  EXPECT_EQ(bash("attack --image ''"), (Set{"folder", "photo.png"}));
  EXPECT_EQ(bash("attack --image photo.png ''"), (Set{"folder", "photo.png"}));
  EXPECT_EQ(bash("attack --out ''"), Set{"folder"});
  EXPECT_EQ(bash("evaluate ''"), Set{"folder"});
  EXPECT_EQ(bash("attack --out run --behavior str"), Set{"string"}) << "run is a value here, no command";
  EXPECT_EQ(bash("run ''"), (Set{"folder", "photo.png"}));
}

TEST_F(Completion, BashTakesTheScriptAsItIs) {
  const Outcome outcome = run("completion bash");
  write_file(at("whole"), outcome.out + "complete -p hijack\n");
  ASSERT_EQ(std::system(("bash -eu " + at("whole") + " >" + at("out") + " 2>&1").c_str()), 0);
  EXPECT_EQ(read_file(at("out")), "complete -F _hijack hijack\n");
}

TEST_F(Completion, ZshKnowsTheSame) {
  if (std::system("zsh --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "zsh is not installed";
  EXPECT_TRUE(has(zsh("''"), {"attack", "evaluate", "defenses"}));
  EXPECT_TRUE(has(zsh("attack --"), {"--epsilon", "--apgd-alpha", "--json"}));
  EXPECT_TRUE(has(zsh("attack --behavior ''"), {"string", "leak"}));
  EXPECT_TRUE(has(zsh("attack --defense jpeg ''"), {"bit_depth", "jpeg"}));
  EXPECT_EQ(zsh("models ''"), Set{"inspect"});
  EXPECT_EQ(zsh("attack --image ''"), Set{"files"});
  EXPECT_EQ(zsh("attack --out ''"), Set{"files -/"});
}

TEST_F(Program, CompletionForAnotherShellIsRefused) {
  expect_refused("completion fish", "there is no completion for shell 'fish'");
  expect_refused("completion", "hijack completion needs shell");
}

}  // namespace
}  // namespace hijack::completion_test
