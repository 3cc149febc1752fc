// What reaches the terminal, and what happens when it cannot: output, signals, sentences about arguments.
#include <signal.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::streams_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

TEST_F(Program, OutputThatCannotBeWrittenIsAFailure) {
  ASSERT_EQ(run(attack("--steps 1 --out " + at("run"))).code, 0);
  write_file(at("in.jsonl"), "{\"text\": \"a cat\"}\n");
  for (const std::string& command :
       {std::string("--help"), std::string("--version"), std::string("attack --help"),
        std::string("attack --list-presets"), std::string("reproduce --list"), std::string("models --list"),
        "models inspect " + kModel, "report " + at("run") + " --format csv", "report " + at("run"),
        "tokenize --in " + at("in.jsonl"), "chat --image " + kPhoto + " --prompt x --max-new-tokens 2",
        "scenes --count 1 --out " + at("scenes"), std::string("defenses"), std::string("help attack"),
        std::string("completion bash"), "trace --image " + kPhoto + " --prompt a --target b --out " + at("t"),
        "evaluate " + at("run") + " --defense bit_depth --utility 1 --suffix-steps 0",
        attack("--steps 1 --resume --out " + at("run"))}) {
    SCOPED_TRACE(command);
    for (const char* nowhere : {" >/dev/full", " >&-"}) {
      EXPECT_EQ(shell(command + nowhere + " 2>" + at("err")), 1);
      EXPECT_NE(read_file(at("err")).find("cannot write to standard output"), std::string::npos);
    }
    EXPECT_EQ(shell(command + " >" + at("out") + " 2>" + at("err")), 0) << read_file(at("err"));
  }
}

TEST_F(Program, SentencesAboutArgumentsAreOurOwn) {
  const std::string chat = "chat --image " + kPhoto + " ";
  expect_refused("chat", "needs --image");
  expect_refused(chat + "--max-new-tokens abc",
                 "--max-new-tokens must be a whole number from 1 to 4096, not 'abc'");
  expect_refused(chat + "--max-new-tokens 0", "from 1 to 4096, not '0'");
  expect_refused(chat + "--top-p 1.5", "--top-p must be a number from 0 to 1, not '1.5'");
  expect_refused(chat + "--seed many", "--seed must be a number, not 'many'");
  expect_refused(chat + "--temperature", "--temperature needs a value");
  expect_refused("attack --steps", "--steps needs a value");
  expect_refused("report", "hijack report needs run");
  expect_refused("train", "hijack train needs to be told what to do: pocket");
  expect_refused("models inspect", "hijack models inspect needs folder");
  expect_refused("run x.toml --lease 0", "--lease must be a number from 0.1 to 86400");
  expect_refused("evaluate " + at("run") + " --threads -2 --defense jpeg",
                 "--threads must be a whole number");
}

TEST_F(Program, SentencesAboutFilesAreOurOwn) {
  const auto refused = [&](const std::string& name, const std::string& text, const std::string& arguments,
                           const std::string& words) {
    write_file(at(name), text);
    expect_refused(arguments, words);
    for (const char* raw : {"json.exception", "parse error", "while parsing", "syntax error"})
      EXPECT_EQ(read_file(at("err")).find(raw), std::string::npos) << read_file(at("err"));
  };
  const std::string config = attack("--out " + at("none") + " --config " + at("c.toml"));
  refused("c.toml", "steps = 3\nepsilon 8/255\n", config, "c.toml:2:");
  refused("c.toml", "steps = 3\nsteps = 4\n", config, "was given a value before");
  const std::string model = copy_of("llava/clip_gqa", "model");
  const std::string inspect = "chat --image " + kPhoto + " --prompt x --model " + model;
  refused("model/config.json", "{\"model_type\": \"llava\",\n  \"a\" 3}", inspect, "line 2, column 7");
  refused("model/config.json", "{\"model_type\": ", inspect, "ends in the middle");
  refused("model/config.json", " \n", inspect, "it is empty");
  refused("model/config.json", "{\"a\": 1e999}", inspect, "too large");
  fs::remove_all(at("model"));
  copy_of("llava/clip_gqa", "model");
  refused("model/tokenizer.json", "{\"model\": [}", inspect,
          "tokenizer.json is not valid JSON at line 1, column 12");
}

TEST_F(Program, SeveralValuesMayFollowOneFlag) {
  fs::create_directories(at("photos"));
  fs::copy(kPhoto, at("photos/a.png"));
  fs::copy(kRoot + "/samples/images/coffee.png", at("photos/b.png"));
  const std::string rest = " --contexts " + at("contexts.jsonl") +
                           " --threads 1 --target abc --max-new-tokens 6 --steps 1 --out " + at("run");
  for (const std::string& seeds : {std::string("--seed 0 1 2"), std::string("--seed 0,1,2"),
                                   std::string("--seed 0 --seed 1 --seed 2"), std::string("--seed 0,1 2")}) {
    const Outcome outcome = run("attack --image " + at("photos/") + "*.png " + seeds + rest);
    ASSERT_EQ(outcome.code, 0) << seeds << outcome.err;
    EXPECT_EQ(read_run(at("run")).trials.size(), 6u) << seeds;
    fs::remove_all(at("run"));
  }
  ASSERT_EQ(run("attack --image " + at("photos/a.png") + " " + at("photos/b.png") + rest).code, 0);
  const Outcome evaluated =
      run("evaluate --utility 1 --suffix-steps 0 --defense bit_depth --defense median " + at("run"));
  EXPECT_EQ(evaluated.code, 0) << evaluated.err;
}

TEST_F(Program, FlagsThatMessagesNameExist) {
  std::string help;
  for (const char* command : {"attack",
                              "evaluate",
                              "run",
                              "report",
                              "reproduce",
                              "chat",
                              "train pocket",
                              "train eye",
                              "train assemble",
                              "train sae",
                              "train detector",
                              "train robust-tower",
                              "train steering",
                              "activations",
                              "judge",
                              "features",
                              "inside",
                              "probe",
                              "trace",
                              "serve",
                              "tokenize",
                              "scenes",
                              "models",
                              "defenses",
                              "completion",
                              ""})
    help += run(std::string(command) + (command == std::string("attack") ? " --help-all" : " --help")).out;
  std::replace(help.begin(), help.end(), '\n', ' ');
  const std::regex literal(R"re("([^"\\\n]|\\.)*")re"), flag("--[a-z][a-z-]*[a-z]");
  int found = 0;
  for (const char* folder : {"src/base", "src/cli", "src/experiment", "src/pocket", "src/training",
                             "src/serve", "models", "attacks", "defenses"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(kRoot) / folder)) {
      if (entry.path().extension() != ".cpp" || entry.path().filename() == "style.cpp") continue;
      const std::string text = read_file(entry.path());
      for (std::sregex_iterator word(text.begin(), text.end(), literal), end; word != end; ++word) {
        const std::string sentence = word->str();
        for (std::sregex_iterator name(sentence.begin(), sentence.end(), flag); name != end; ++name) {
          // of torchrun; hidden former names
          if (name->str() == "--no-python" || name->str() == "--recompute") continue;
          ++found;
          EXPECT_NE(help.find(name->str() + " "), std::string::npos) << name->str() << " in " << entry.path();
        }
      }
    }
  }
  EXPECT_GT(found, 60);
}

TEST_F(Program, SeveralTrialsSayWhichOneItIs) {
  const Outcome outcome = run(attack("--seed 0 1 --steps 2 --out " + at("run")));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* words : {"trial 1 of 2", "trial 2 of 2", "left in all"})
    EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
  const Outcome one = run(attack("--steps 2 --out " + at("one")));
  EXPECT_EQ(one.err.find("trial 1 of"), std::string::npos) << one.err;
}

TEST_F(Program, AnEarlyStopSaysSo) {
  const Outcome stopped = run(attack("--steps 9 --stop-loss 1000 --out " + at("stopped")));
  ASSERT_EQ(stopped.code, 0) << stopped.err;
  EXPECT_NE(stopped.err.find("stopped at step 0 of 9: the loss fell below"), std::string::npos)
      << stopped.err;
  EXPECT_NE(stopped.out.find("at step 0: the loss fell below"), std::string::npos) << stopped.out;
  EXPECT_EQ(stopped.out.find("nan"), std::string::npos) << stopped.out;
  const Outcome whole = run(attack("--steps 2 --out " + at("whole")));
  EXPECT_EQ(whole.out.find("stopped"), std::string::npos) << whole.out;
}

TEST_F(Program, EvaluateShowsStaticBesideAdaptive) {
  ASSERT_EQ(run(attack("--steps 2 --out " + at("run"))).code, 0);
  const std::string evaluate =
      "evaluate " + at("run") + " --defense bit_depth --utility 1 --suffix-steps 0 --threads 1 --device cpu";
  const Outcome fixed = run(evaluate);
  ASSERT_EQ(fixed.code, 0) << fixed.err;
  EXPECT_EQ(fixed.out.find("adaptive"), std::string::npos) << fixed.out;
  const Outcome both = run(evaluate + " --adaptive");
  ASSERT_EQ(both.code, 0) << both.err;
  for (const char* column : {"image, static", "image, adaptive", "suffix, static", "suffix, adaptive"})
    EXPECT_NE(both.out.find(column), std::string::npos) << both.out;
  EXPECT_EQ(both.out.find("nan"), std::string::npos) << both.out;
  expect_refused(evaluate + " --device tpu", "tpu");
}

TEST_F(Program, ARunGoesOnOnAnotherMachine) {
  write_file(at("e.toml"), "[attack]\nimage = \"" + kPhoto + "\"\ncontexts = \"" + at("contexts.jsonl") +
                               "\"\ntarget = \"abc\"\nmax_new_tokens = 6\nsteps = 1\ndevice = \"cuda:99\"\n");
  expect_refused("run " + at("e.toml") + " --out " + at("run"), "cuda:99");
  const Outcome outcome = run("run " + at("e.toml") + " --device cpu --threads 1 --out " + at("run"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const RunRecord record = read_run(at("run"));
  EXPECT_EQ(record.trials.size(), 1u);
  EXPECT_EQ(record.manifest["plans"][0]["config"]["device"], "cuda:99") << "what the run is does not change";
  EXPECT_EQ(run("run --resume --device cpu --threads 2 --out " + at("run")).code, 0);
  EXPECT_EQ(run("attack --resume --device cpu --threads 1 --out " + at("run")).code, 0);
  expect_refused("evaluate " + at("run") + " --defense bit_depth", "cuda:99");
  EXPECT_EQ(
      run("evaluate " + at("run") + " --defense bit_depth --utility 1 --suffix-steps 0 --device cpu").code,
      0);
}

TEST_F(Program, EmptyListsOfAGridAreRefused) {
  const std::string shared =
      "[attack]\nimage = \"" + kPhoto + "\"\ncontexts = \"" + at("contexts.jsonl") + "\"\nsteps = 1\n";
  for (const auto& [grid, words] : std::map<std::string, std::string>{
           {"[[grid]]\nsteps = []\n", "'steps' is an empty list"},
           {"[[grid]]\nepsilon = []\nsteps = [1, 2]\n", "'epsilon' is an empty"},
           {"[[grid]]\nseed = []\n", "seed"},
           {"[[grid]]\nimage = []\n", "image"}}) {
    write_file(at("e.toml"), shared + grid);
    expect_refused("run " + at("e.toml") + " --out " + at("run"), words);
    EXPECT_FALSE(fs::exists(at("run")));
  }
  write_file(at("e.toml"), "grid = []\n" + shared);
  expect_refused("run " + at("e.toml") + " --out " + at("run"), "'grid' is an empty list");
}

class Signals : public Program {
 protected:
  /// Starts an attack, waits for its first line of progress, sends the signal; then what `after` says.
  int signaled(const std::string& before, const std::string& arguments, const std::string& signal) {
    write_file(at("signal.sh"), before + "HIJACK_MODEL='" + kModel +
                                    "' OMP_NUM_THREADS=1 " HIJACK_PROGRAM " " + arguments + " >" + at("out") +
                                    " 2>" + at("err") + " &\npid=$!\nfor i in $(seq 600); do grep -q loss " +
                                    at("err") + " && break; sleep 0.1; done\nkill -" + signal +
                                    " $pid\nwait $pid\n");
    const int status = std::system(("bash " + at("signal.sh")).c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
};

TEST_F(Signals, TheEndOfTheTerminalSavesEverything) {
  const int code = signaled("", attack("--steps 100000 --validate-every 0 --out " + at("run")), "HUP");
  EXPECT_EQ(code, 1) << read_file(at("err"));
  EXPECT_NE(read_file(at("out")).find("--resume"), std::string::npos);
  EXPECT_TRUE(fs::exists(at("run/checkpoints")));
}

TEST_F(Signals, UnderNohupTheWorkGoesOn) {
  const int code =
      signaled("trap '' HUP\n", attack("--steps 300 --validate-every 0 --out " + at("run")), "HUP");
  EXPECT_EQ(code, 0) << read_file(at("err"));
  EXPECT_EQ(read_run(at("run")).trials.size(), 1u);
}

}  // namespace
}  // namespace hijack::streams_test
