// What a number belongs to: settings and trials by content, ids that name what differs, run folders that are
// their own record.
#include "src/experiment/plan/identity.h"

#include "src/experiment/evaluate/evaluate.h"
#include "src/experiment/plan/dataset.h"
#include "src/experiment/record/recorded_images.h"
#include "tests/support/toy_runs.h"

namespace hijack::identity_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using support::error_of;

class Identities : public ToyRuns {
 protected:
  Identity identity() const { return identity_of(config_); }
  std::string at(const std::string& name) const { return (root() / name).string(); }

  /// The reply rows of a run in a folder.
  size_t replies(const std::string& name) const { return read_run(root() / name).replies.size(); }
  std::string refusal(const std::string& name, const EvaluateConfig& config) {
    return error_of([&] { evaluate_run(root() / name, config, {}, models()); });
  }
  void change_manifest(const std::string& name, const std::function<void(json&)>& change) {
    json manifest = json::parse(read_file(root() / name / "manifest.json"));
    change(manifest);
    write_file(root() / name / "manifest.json", manifest.dump());
  }
};

TEST_F(Identities, EveryFieldThatChangesTheOutcomeChangesTheSetting) {
  const Identity before = identity();
  const std::vector<std::function<void(AttackConfig&)>> changes = {
      [](AttackConfig& c) { c.optimizer.steps = 11; },
      [](AttackConfig& c) { c.optimizer.step_size = .123; },
      [](AttackConfig& c) { c.batch = 3; },
      [](AttackConfig& c) { c.behavior.target = "Another target"; },
      [](AttackConfig& c) { c.objective.formula = "margin"; },
      [](AttackConfig& c) { c.augmentation.names = {"crop=0.8"}; },
      [](AttackConfig& c) { c.cropa.radius = 1; },
      [](AttackConfig& c) { c.space = "photo"; },
      [](AttackConfig& c) { c.dtype = "bfloat16"; },
      [](AttackConfig& c) { c.max_pixels = 4096; },
      [](AttackConfig& c) { c.defense.defenses = {"jpeg"}; },
      [](AttackConfig& c) { c.max_new_tokens = 12; },
      [](AttackConfig& c) { c.test = 2; },
  };
  std::set<std::string> digests = {before.setting_digest};
  for (size_t i = 0; i < changes.size(); ++i) {
    const AttackConfig kept = config_;
    changes[i](config_);
    EXPECT_TRUE(digests.insert(identity().setting_digest).second) << "change " << i;
    config_ = kept;
  }
  EXPECT_EQ(identity().setting_digest, before.setting_digest);
}

TEST_F(Identities, SeedPhotoAndMachineDoNot) {
  const Identity before = identity();
  config_.seeds = {5};
  EXPECT_EQ(identity().setting_digest, before.setting_digest);
  EXPECT_NE(identity().trial_digest, before.trial_digest);
  config_.seeds = {0};
  config_.threads = 7;
  config_.checkpoint_every = 3;
  EXPECT_EQ(identity().trial_digest, before.trial_digest);
  save_png(1 - toy_image(), at("other.png"));
  config_.images = {at("other.png")};
  EXPECT_EQ(identity().setting_digest, before.setting_digest);
  EXPECT_NE(identity().trial_digest, before.trial_digest);
}

TEST_F(Identities, FilesAndWeightsCountByContentNotByName) {
  const Identity before = identity();
  fs::copy_file(root() / "contexts.jsonl", root() / "copy.jsonl");
  fs::copy(root() / "model", root() / "elsewhere");
  config_.contexts = at("copy.jsonl");
  config_.model = at("elsewhere");
  EXPECT_EQ(identity().trial_digest, before.trial_digest);
  write_file(root() / "elsewhere" / "model.safetensors", "other weights");
  EXPECT_NE(identity().setting_digest, before.setting_digest);
  config_.model = at("model");
  write_file(root() / "copy.jsonl", read_file(root() / "copy.jsonl") + "\n");
  EXPECT_NE(identity().setting_digest, before.setting_digest);
}

TEST_F(Identities, IdsNameWhatDiffers) {
  write_file(root() / "grid.toml",
             "[attack]\nimage = \"photo.png\"\ncontexts = \"contexts.jsonl\"\n"
             "model = \"model\"\n[[grid]]\nsteps = [5, 60]\n"
             "[[grid]]\nsteps = 30\ntarget = [\"Hello there.\", \"Please visit our shop.\"]\n");
  std::vector<std::string> ids;
  for (const TrialPlan& plan : read_experiment(root() / "grid.toml")) ids.push_back(plan.id);
  ASSERT_EQ(ids.size(), 4u);
  EXPECT_NE(ids[0].find("steps=5-"), std::string::npos) << ids[0];
  EXPECT_NE(ids[1].find("steps=60-"), std::string::npos) << ids[1];
  EXPECT_NE(ids[2].find("target=Hello"), std::string::npos) << ids[2];
  EXPECT_EQ(std::set(ids.begin(), ids.end()).size(), 4u);
}

TEST_F(Identities, TheSameTrialTwiceIsRefused) {
  config_.seeds = {0, 0};
  EXPECT_NE(error_of([&] { plan_trials(config_); }).find("the same"), std::string::npos);
  config_.seeds = {0};
  fs::copy_file(root() / "photo.png", root() / "copy.png");
  config_.images.push_back(at("copy.png"));
  EXPECT_NE(error_of([&] { begin("run"); }).find("the same"), std::string::npos);
  EXPECT_FALSE(fs::exists(root() / "run"));
}

TEST_F(Identities, ARunFolderKeepsItsInputsAndWorksAfterAMove) {
  config_.seeds = {0, 1};
  finished("whole");
  RunHooks hooks;
  std::stop_source stop;
  hooks.stop = stop.get_token();
  hooks.on_trial = [&](const TrialRow&) { stop.request_stop(); };
  {
    RunFolder folder = begin("stopped");
    EXPECT_FALSE(go_on(folder, hooks));
  }
  fs::create_directories(root() / "deep");
  fs::rename(root() / "stopped", root() / "deep" / "moved");
  for (const char* gone : {"photo.png", "contexts.jsonl"}) fs::remove(root() / gone);
  RunFolder again = RunFolder::open(root() / "deep" / "moved");
  EXPECT_TRUE(go_on(again));
  EXPECT_EQ(essence("deep/moved"), essence("whole"));
}

TEST_F(Identities, ACopyOfAModelInOneRunIsTheSameModel) {
  AttackConfig other = config_;
  fs::copy(root() / "model", root() / "copy");
  other.model = at("copy");
  other.optimizer.steps = 3;
  auto plans = plan_trials(config_);
  plans.push_back(plan_trials(other).at(0));
  plans[1].id += "-copy";
  RunFolder folder = begin_run(root() / "run", "run", plans, models());
  EXPECT_TRUE(go_on(folder));
  EXPECT_EQ(read_run(root() / "run").trials.size(), 2u);
}

TEST_F(Identities, WhatTheManifestRecordsIsCompared) {
  finished("run");
  const EvaluateConfig jpeg{.defense = {.defenses = {"jpeg"}}, .utility = 0, .suffix = {.steps = 0}};
  const auto with = [&](const std::string& name, const std::function<void(const fs::path&)>& lie) {
    fs::remove_all(root() / name);
    fs::copy(root() / "run", root() / name, fs::copy_options::recursive);
    lie(root() / name);
    return refusal(name, jpeg);
  };
  EXPECT_EQ(with("honest", [](const fs::path&) {}), "");
  const std::string photo = with("photo", [](const fs::path& run) {
    for (const auto& file : fs::directory_iterator(run / "inputs"))
      if (file.path().extension() == ".png") save_png(1 - toy_image(), file.path());
  });
  EXPECT_NE(photo.find("photo.png"), std::string::npos) << photo;
  const std::string image = with("image", [](const fs::path& run) {
    save_png(1 - toy_image(), run / RunFolder::image_name("string-linf-32-photo-s0"));
  });
  EXPECT_NE(image.find("string-linf-32-photo-s0.png"), std::string::npos) << image;
  const std::string plan = with("plan", [&](const fs::path& run) {
    change_manifest(run.filename(), [](json& manifest) { manifest["plans"][0]["config"]["steps"] = 9; });
  });
  EXPECT_NE(plan.find("digest"), std::string::npos) << plan;
  const std::string row = with("row", [](const fs::path& run) {
    std::string lines = read_file(run / "trials.jsonl");
    lines.replace(lines.find("\"steps\":10"), 10, "\"steps\":11");
    write_file(run / "trials.jsonl", lines);
  });
  EXPECT_NE(row.find("trials.jsonl:1"), std::string::npos) << row;
  write_file(root() / "model" / "model.safetensors", "other weights");
  EXPECT_NE(refusal("run", jpeg).find("model.safetensors"), std::string::npos);
}

TEST_F(Identities, ReportsCompareTheImagesThatAreThere) {
  finished("run");
  EXPECT_EQ(read_verified_run(root() / "run").trials.size(), 1u);
  const fs::path image = root() / "run" / RunFolder::image_name("string-linf-32-photo-s0");
  save_png(1 - toy_image(), image);
  EXPECT_NE(error_of([&] { read_verified_run(root() / "run"); }).find(image.filename().string()),
            std::string::npos);
  fs::remove_all(root() / "run" / "images");  // results are passed on without them
  EXPECT_EQ(error_of([&] { read_verified_run(root() / "run"); }), "");
}

TEST_F(Identities, OtherSettingsOfAnEvaluationAskAgainTheSameDoNot) {
  finished("run");
  EvaluateConfig config{.defense = {.defenses = {"perplexity:quantile=0.9"}},
                        .utility = 2,
                        .suffix = {.tokens = 3, .steps = 0, .contexts = 1}};
  const auto asked = [&] {
    const size_t before = replies("run");
    EXPECT_EQ(refusal("run", config), "");
    return replies("run") - before;
  };
  EXPECT_GT(asked(), 0u);
  EXPECT_EQ(asked(), 0u);
  config.defense.draws = 2;  // says nothing about a static attack
  EXPECT_EQ(asked(), 0u);
  config.suffix.tokens = 4;  // the text-side control alone, bare and defended
  EXPECT_EQ(asked(), 10u);
  config.defense.false_positive_rate = .05;  // its quantile is given
  const size_t rate = asked();
  EXPECT_GT(rate, 0u);
  config.defense.defenses = {"perplexity:quantile=0.8"};
  EXPECT_GT(asked(), 0u);
  std::set<std::string> stacks;
  for (const ReplyRow& row : read_run(root() / "run").replies) stacks.insert(row.stack);
  EXPECT_EQ(stacks.size(), 4u);
}

TEST_F(Identities, ACalibrationThatWasChangedIsRefused) {
  finished("run");
  const EvaluateConfig config{
      .defense = {.defenses = {"perplexity:quantile=0.9"}}, .utility = 0, .suffix = {.steps = 0}};
  EXPECT_EQ(refusal("run", config), "");
  const auto scaled = [&](double factor) {
    change_manifest("run", [&](json& manifest) {
      json& threshold = manifest["calibrations"][0]["threshold"];
      threshold = threshold.get<double>() * factor;
    });
    return refusal("run", config);
  };
  EXPECT_EQ(scaled(1 + 2e-6), "") << "another machine rounds otherwise";
  EXPECT_NE(scaled(1.001).find("threshold"), std::string::npos);
  change_manifest("run", [](json& manifest) { manifest["calibrations"][0]["threshold"] = 1234.5; });
  EXPECT_NE(refusal("run", config).find("threshold"), std::string::npos);
}

TEST_F(Identities, AContextThatStandsTwiceIsRefused) {
  write_file(root() / "twice.jsonl",
             "{\"prompt\": \"a\", \"split\": \"test\"}\n{\"prompt\": \"a\", \"split\": \"test\"}\n");
  EXPECT_NE(error_of([&] { read_contexts(root() / "twice.jsonl"); }).find("line 1"), std::string::npos);
}

}  // namespace
}  // namespace hijack::identity_test
