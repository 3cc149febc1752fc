// Defenses with a model of their own (model=DIR), through the command line.
#include <nlohmann/json.hpp>

#include "src/experiment/plan/identity.h"
#include "src/experiment/record/results.h"
#include "src/experiment/run/defense_setup.h"
#include "tests/support/program.h"

namespace hijack::own_models_test {
namespace {

namespace fs = std::filesystem;
using namespace support;
using nlohmann::json;

const std::string kDecoder = kRoot + "/tests/golden/text/llama";
const std::string kOther = kRoot + "/tests/golden/text/qwen2";

class OwnModels : public Program {
 protected:
  OwnModels() {
    std::string lines = read_file(at("contexts.jsonl"));
    for (int i = 0; i < 24; ++i)
      lines += R"({"prompt": "benign question )" + std::to_string(i) +
               R"(", "split": "calibration"})"
               "\n";
    write_file(at("contexts.jsonl"), lines);
  }

  /// A finished run of one trial.
  std::string attacked() {
    const Outcome outcome = run(attack("--steps 1 --out " + at("run")));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return at("run");
  }

  Outcome evaluate(const std::string& more) {
    return run("evaluate " + at("run") +
               " --threads 1 --utility 0 --suffix-steps 0 --false-positive-rate 0 " + more);
  }

  json manifest() const { return json::parse(read_file(at("run") + "/manifest.json")); }

  /// Score of the first reply to the clean image behind a defense.
  double clean_score(const std::string& defense) const {
    for (const ReplyRow& row : read_run(at("run")).replies)
      if (row.defense == defense && row.condition == "clean") return row.trace.at(0).score;
    ADD_FAILURE() << "no reply behind " << defense;
    return 0;
  }
  size_t replies() const { return read_run(at("run")).replies.size(); }
};

TEST_F(OwnModels, ScoreRestateAndJudge) {
  attacked();
  const Outcome outcome =
      evaluate("--defense perplexity --defense perplexity:model=" + kDecoder +
               " --defense paraphrase:model=" + kDecoder +
               ",max_tokens=4 --defense judge:by=question,model=" + kDecoder +
               " --defense ecso:threshold=0.001,model=" + kRoot + "/tests/golden/llava/siglip");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_NE(clean_score("perplexity:window=0"), clean_score("perplexity:window=0,model=llama"));
  EXPECT_GT(clean_score("judge:by=question,model=llama"), 0);
  EXPECT_GT(clean_score("ecso:by=loss,model=siglip,threshold=0.001"), 0);

  std::set<json> models;
  const json stacks = manifest().at("stacks");
  for (const auto& [digest, stack] : stacks.items())
    if (stack.contains("own_model_sha256")) models.insert(stack["own_model_sha256"]);
  const std::string decoder = model_hash(kDecoder), judge = model_hash(kRoot + "/tests/golden/llava/siglip");
  EXPECT_EQ(models, (std::set<json>{json::array({decoder}), json::array({judge})}));
  EXPECT_EQ(manifest().at("defense_models").at(decoder).at("name"), "llama");
  EXPECT_EQ(manifest().at("defense_models").at(decoder).at("files"), json(model_files(kDecoder)));
  std::map<std::string, json> fitted_on;
  const json calibrations = manifest().at("calibrations");
  for (const json& entry : calibrations) fitted_on[entry.at("defense")] = entry.at("n");
  EXPECT_EQ(fitted_on.at("perplexity:window=0,model=llama"), 24);
  for (const char* fitted : {"of perplexity:window=0 on 24", "of judge:by=question,model=llama on 24"})
    EXPECT_NE(outcome.err.find("fitting the threshold " + std::string(fitted)), std::string::npos)
        << outcome.err;
  EXPECT_EQ(outcome.err.find("threshold of ecso"), std::string::npos) << "that one was given";
}

TEST_F(OwnModels, CountByContent) {
  attacked();
  const std::string copy = copy_of("text/llama", "another-name");
  ASSERT_EQ(evaluate("--defense perplexity:threshold=9,model=" + kDecoder).code, 0);
  const size_t asked = replies();
  ASSERT_EQ(evaluate("--defense perplexity:threshold=9,model=" + copy).code, 0);
  EXPECT_EQ(replies(), asked) << "a copy is the same model";
  json config = json::parse(read_file(copy + "/config.json"));
  config["rms_norm_eps"] = 0.5;
  write_file(copy + "/config.json", config.dump());
  ASSERT_EQ(evaluate("--defense perplexity:threshold=9,model=" + copy).code, 0);
  EXPECT_GT(replies(), asked) << "this one is another";
}

TEST_F(OwnModels, BelongToWhatAnAttackIs) {
  const std::string copy = copy_of("text/llama", "guard");
  const Outcome outcome =
      run(attack("--steps 1 --out " + at("run") + " --defense perplexity:threshold=50,model=" + at("guard") +
                 " --adaptive"));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string hash = model_hash(copy);
  EXPECT_EQ(manifest().at("models").at(hash).at("name"), "guard");
  const TrialRow row = read_run(at("run")).trials.at(0);
  EXPECT_EQ(row.setting.at("defense"), json::array({"perplexity:model=" + hash + ",threshold=50"}));
  EXPECT_EQ(row.defense, "perplexity:window=0,threshold=50,model=guard");
  // the folder of the run is found again, and a changed model is not taken for it
  EXPECT_EQ(run("attack --resume --out " + at("run")).code, 0);
  fs::remove(fs::path(copy) / "generation_config.json");
  EXPECT_NE(run("attack --resume --out " + at("run")).err.find("generation_config.json"), std::string::npos);
}

TEST_F(OwnModels, AnAdaptiveSuffixHasTheirPerplexity) {
  attacked();
  const std::string more =
      " --adaptive --suffix-steps 4 --suffix-candidates 16 --suffix-tokens 4 --suffix-perplexity 1";
  ASSERT_EQ(evaluate("--defense perplexity:threshold=9,model=" + kDecoder + more).code, 0);
  ASSERT_EQ(evaluate("--defense perplexity:threshold=9,model=" + kOther + more).code, 0);
  std::map<std::string, std::string> found;
  const json suffixes = manifest().at("text_suffixes");
  for (const auto& [key, entry] : suffixes.items()) found[entry.at("through")] = entry.at("text");
  ASSERT_EQ(found.size(), 3u);
  EXPECT_NE(found.at("perplexity:window=0,threshold=9,model=llama"),
            found.at("perplexity:window=0,threshold=9,model=qwen2"));
}

TEST_F(OwnModels, ChatWithThem) {
  const Outcome outcome =
      run("chat --threads 1 --image " + kPhoto + " --prompt 'Who is it?' --max-new-tokens 4" +
          " --json --defense perplexity:threshold=50,model=" + kDecoder);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(json::parse(outcome.out).at("stages").at(0).at("defense"),
            "perplexity:window=0,threshold=50,model=llama");
}

TEST_F(OwnModels, AreShownAndRefused) {
  for (const char* name : {"perplexity", "paraphrase", "judge", "ecso"})
    EXPECT_NE(run(std::string("defenses ") + name).out.find("\n  model="), std::string::npos) << name;
  attacked();
  const std::string base = "evaluate " + at("run") + " --defense ";
  expect_refused(base + "perplexity:model=" + at("nowhere"),
                 "There is no model folder '" + at("nowhere") + "'");
  expect_refused(base + "perplexity:endpoint=http://127.0.0.1:1/v1,model=" + kDecoder,
                 "'model' and 'endpoint' both say whom to ask");
  expect_refused(base + "judge:threshold=1,reference=blur,model=" + kDecoder, "takes no images");
  expect_refused(base + "judge:threshold=1,accept=no", "two different answers");
  expect_refused(base + "jpeg:model=" + kDecoder, "model");
  const std::string strange = copy_of("text/llama", "strange");
  write_file(strange + "/config.json", R"({"model_type": "mamba"})");
  expect_refused(base + "perplexity:threshold=1,model=" + strange, "\"mamba\" is not supported");
}

/// One model in memory for all that name it, the attacked one included.
TEST_F(OwnModels, AreLoadedOnce) {
  const auto attacked = load_model(kModel);
  const DefenseResources resources = defense_resources(attacked, {4}, kModel, {});
  const std::string copy = copy_of("text/llama", "copy");
  const auto first = resources.load(kDecoder);
  EXPECT_EQ(first, resources.load(copy));
  EXPECT_NE(first, nullptr);
  EXPECT_NE(first, resources.load(kOther));
  EXPECT_EQ(resources.load(copy_of("llava/clip_gqa", "attacked")), attacked);
}

}  // namespace
}  // namespace hijack::own_models_test
