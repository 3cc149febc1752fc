// The built program as users meet it: exit codes, one sentence for each mistake, and the whole job on a tiny
// checkpoint.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "models/checkpoint/safetensors.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::program_test {
namespace {

namespace fs = std::filesystem;
using namespace support;

TEST_F(Program, HelpAndVersion) {
  EXPECT_EQ(run("--version").code, 0);
  EXPECT_NE(run("--version").out.find("hijack 0."), std::string::npos);
  const Outcome help = run("attack --help");
  EXPECT_EQ(help.code, 0);
  for (const char* flag : {"--epsilon", "--behavior", "--resume", "--step-size", "8/255"})
    EXPECT_NE(help.out.find(flag), std::string::npos) << flag;
  const Outcome all = run("");
  EXPECT_EQ(all.code, 0);
  for (const char* command :
       {"attack", "evaluate", "run", "report", "chat", "trace", "tokenize", "scenes", "models"})
    EXPECT_NE(all.out.find(command), std::string::npos) << command;
}

TEST_F(Program, UnknownWordsNameTheNearest) {
  expect_refused("attack --epsilom 8/255", "did you mean '--epsilon'");
  expect_refused("attak", "did you mean 'attack'");
  expect_refused("attack --zzzzzzzz 1", "unknown flag '--zzzzzzzz'");
  expect_refused("report", "run");
}

TEST_F(Program, MistakesAreOneSentenceAndLeaveNoTrace) {
  const std::string out = " --out " + at("run");
  expect_refused(attack("--model /no/such/folder" + out), "/no/such/folder");
  expect_refused(attack("--epsilon 8" + out), "8/255");
  expect_refused(attack("--epsilon 0.03" + out), "255");
  expect_refused(attack("--target ''" + out), "target");
  expect_refused(attack("--behavior strng" + out), "did you mean 'string'");
  expect_refused(attack("--steps many" + out), "--steps");
  expect_refused(attack("--image " + at("none.png") + out), "none.png");
  expect_refused(attack("--image " + at("contexts.jsonl") + out), "contexts.jsonl");
  expect_refused(attack("--contexts " + kPhoto + out), "chelsea.png:1");
  expect_refused(attack("--model " + at("") + out), "config.json");
  expect_refused("attack" + out, "--image");
  expect_refused(attack("--out /proc/x/run"), "cannot be written");
  EXPECT_FALSE(fs::exists(at("run")));
  write_file(at("bad.toml"), "stepz = 3");
  expect_refused(attack("--config " + at("bad.toml") + out), "did you mean 'steps'");
  expect_refused("evaluate " + at("") + " --defense jpeg", "manifest.json");
  expect_refused("chat --image " + kPhoto + " --prompt x --defense jpg", "did you mean 'jpeg'");
  expect_refused(attack("--target 'what a long target that is' --max-new-tokens 3" + out),
                 "max-new-tokens 3: ");
  expect_refused("report " + at("nothing"), "nothing");
}

TEST_F(Program, AttackEvaluateReport) {
  const Outcome attacked = run(attack("--steps 3 --epsilon 8/255 --out " + at("run")));
  ASSERT_EQ(attacked.code, 0) << attacked.err;
  for (const char* words : {"attack", "clean", "noise", "/255 largest difference", "report.html"})
    EXPECT_NE(attacked.out.find(words), std::string::npos) << words << "\n" << attacked.out;
  const RunRecord record = read_run(at("run"));
  ASSERT_EQ(record.trials.size(), 1u);
  EXPECT_TRUE(fs::exists(at("run/report.html")));
  const double difference = (load_image(record.folder / record.trials[0].image_file) -
                             load_image(record.folder / record.trials[0].origin_file))
                                .abs()
                                .max()
                                .item<double>();
  EXPECT_GT(difference, 0);
  EXPECT_LE(difference, 8.001 / 255);

  expect_refused(attack("--steps 3 --out " + at("run")), "already holds another run");
  expect_refused(attack("--steps 9 --resume --out " + at("run")), "other settings");
  EXPECT_EQ(run("attack --resume --out " + at("run")).code, 0);

  const Outcome evaluated =
      run("evaluate " + at("run") + " --defense bit_depth --utility 2 --suffix-steps 0");
  ASSERT_EQ(evaluated.code, 0) << evaluated.err;
  EXPECT_NE(evaluated.out.find("bit_depth"), std::string::npos);
  const Outcome csv = run("report " + at("run") + " --format csv");
  EXPECT_EQ(csv.code, 0);
  EXPECT_NE(csv.out.find("table,model"), std::string::npos);
}

TEST_F(Program, FlagsOverrideTheConfigFile) {
  write_file(at("c.toml"), "steps = 5\nepsilon = \"4/255\"\n");
  const Outcome outcome = run(attack("--config " + at("c.toml") + " --steps 2 --out " + at("run")));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const RunRecord record = read_run(at("run"));
  EXPECT_EQ(record.trials.at(0).steps, 2);
  EXPECT_NEAR(record.trials.at(0).epsilon_255, 4, 1e-9);
}

TEST_F(Program, CtrlCStopsWithTheCommandThatGoesOn) {
  const std::string arguments = attack("--steps 100000 --validate-every 0 --out " + at("run"));
  EXPECT_EQ(interrupted(arguments), 1) << read_file(at("err"));
  EXPECT_NE(read_file(at("out")).find("hijack attack --out " + at("run") + " --resume"), std::string::npos);
  EXPECT_TRUE(fs::exists(at("run/checkpoints")));
  EXPECT_EQ(read_run(at("run")).trials.size(), 0u);
}

TEST_F(Program, TraceWritesWhatTheComparisonNeeds) {
  const Outcome outcome =
      run("trace --model " + kModel + " --image " + kPhoto +
          " --prompt 'what is it' --target 'a cat' --dtype float32 --out " + at("t.safetensors"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const TensorMap tensors = load_safetensors(at("t.safetensors"));
  EXPECT_EQ(tensors.at("input_ids").dim(), 1);
  EXPECT_EQ(tensors.at("input_ids").scalar_type(), at::kLong);
  EXPECT_EQ(tensors.at("target_logits").size(0), tensors.at("target_ids").size(0));
  EXPECT_EQ(tensors.at("loss").dim(), 0);
  EXPECT_EQ(tensors.at("pixel_gradient").sizes(), tensors.at("pixel_values").sizes());
  EXPECT_GT(tensors.at("pixel_gradient").abs().sum().item<double>(), 0);
  const Tensor expected = at::cross_entropy_loss(tensors.at("target_logits"), tensors.at("target_ids"));
  EXPECT_NEAR(expected.item<double>(), tensors.at("loss").item<double>(), 1e-5);
  expect_refused(
      "trace --model " + kModel + " --image " + kPhoto + " --prompt x --target '' --out " + at("u"),
      "target");
}

TEST_F(Program, TokenizeKeepsLinesApart) {
  write_file(
      at("in.jsonl"),
      "{\"text\": \"a cat\", \"add_special_tokens\": false}\n{\"text\": \"\"}\n{\"text\": \"\\u00e9\"}\n");
  const Outcome outcome =
      run("tokenize --model " + kModel + " --in " + at("in.jsonl") + " --out " + at("ids.jsonl"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  std::istringstream lines(read_file(at("ids.jsonl")));
  std::vector<nlohmann::json> rows;
  for (std::string line; std::getline(lines, line);) rows.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[0].at("decoded"), "a cat");
  EXPECT_FALSE(rows[0].at("ids").empty());
  write_file(at("bad.jsonl"), "{\"text\": 3}\n");
  expect_refused("tokenize --model " + kModel + " --in " + at("bad.jsonl"), "bad.jsonl:1");
}

TEST_F(Program, ChatScenesAndModels) {
  const Outcome chat = run("chat --image " + kPhoto + " --prompt hello --max-new-tokens 3");
  EXPECT_EQ(chat.code, 0) << chat.err;
  EXPECT_NE(chat.err.find("[cut at 3 tokens; --max-new-tokens"), std::string::npos) << chat.err;
  const std::string whole = "chat --model " + kRoot + "/samples/pocket --image " + kPhoto;
  const Outcome complete = run(whole + " --prompt 'What is the secret code?'");
  EXPECT_EQ(complete.code, 0);
  EXPECT_EQ(complete.err.find("cut"), std::string::npos) << complete.out << complete.err;
  const Outcome behind =
      run(whole + " --prompt 'What is the secret code?' --max-new-tokens 2 --defense jpeg");
  EXPECT_NE(behind.err.find("[cut at 2 tokens"), std::string::npos) << behind.err;
  EXPECT_EQ(run("models --list").out.find("llava") != std::string::npos, true);
  const Outcome inspected = run("models inspect " + kModel);
  EXPECT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_NE(inspected.out.find("tokens"), std::string::npos) << inspected.out;
  const Outcome scenes = run("scenes --out " + at("scenes") + " --count 2 --seed 3");
  EXPECT_EQ(scenes.code, 0) << scenes.err;
  EXPECT_EQ(load_image(at("scenes/scene-1.png")).size(3), 112);
  expect_refused("scenes", "--out");
}

TEST_F(Program, SavedImagesAreShownToModelsTheyWereNotMadeWith) {
  const std::string other = kRoot + "/tests/golden/llava/siglip";
  ASSERT_EQ(run(attack("--steps 2 --transfer " + other + " --out " + at("run"))).code, 0);
  const RunRecord record = read_run(at("run"));
  const auto& tallies = record.trials.at(0).transfer.at("siglip");
  for (const char* what : {"attack", "clean", "noise"}) EXPECT_EQ(tallies.at(what).n, 2) << what;
  std::set<std::string> folders;
  for (const auto& [hash, model] : record.manifest.at("models").items()) folders.insert(model.at("folder"));
  EXPECT_TRUE(folders.contains(fs::absolute(other).lexically_normal().string()));
  int64_t asked = 0;
  for (const ReplyRow& reply : record.replies) {
    EXPECT_EQ(reply.model, reply.condition.starts_with("transfer") ? "siglip" : "") << reply.condition;
    if (reply.condition != "transfer") continue;
    ++asked;
    const Outcome chat = run("chat --model " + other + " --max-new-tokens 6 --image " +
                             (record.folder / record.trials[0].image_file).string() + " --prompt '" +
                             reply.context.prompt + "'");
    EXPECT_EQ(chat.out, reply.reply + "\n") << "the same file and prompt by hand";
  }
  EXPECT_EQ(asked, 2);
  expect_refused(attack("--transfer " + kModel + " --out " + at("twice")), "same name");
  expect_refused(attack("--transfer " + at("nowhere") + " --out " + at("none")), "--transfer takes");
}

TEST_F(Program, ContextFilesAreGeneratedAsShipped) {
  ASSERT_EQ(run("scenes --contexts " + at("made")).code, 0);
  for (const char* name : {"pocket.jsonl", "pocket_policy.jsonl", "pocket_reading.jsonl"})
    EXPECT_EQ(read_file(at("made/") + name), read_file(kRoot + "/samples/contexts/" + name))
        << "run: hijack scenes --contexts samples/contexts";
}

}  // namespace
}  // namespace hijack::program_test
