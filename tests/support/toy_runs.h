#pragma once
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/base/file.h"
#include "src/base/image.h"
#include "src/experiment/run/runner.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_model.h"

namespace hijack {

/// Runs on the toy model: a photo, contexts and a config in a fresh folder.
class ToyRuns : public ::testing::Test {
 protected:
  ToyRuns() {
    std::filesystem::create_directories(root() / "model");
    write_file(root() / "model" / "config.json",
               R"({"model_type": "llava", "text_config": {"vocab_size": 320}})");
    save_png(toy_image(), root() / "photo.png");
    std::string lines;
    const auto contexts = toy_contexts(114);  // 100 to calibrate on: 1 % false alarms need 99
    for (size_t i = 0; i < contexts.size(); ++i) {
      const char* split = i < 6 ? "train" : i < 9 ? "validation" : i < 14 ? "test" : "calibration";
      lines += nlohmann::json({{"prompt", contexts[i].prompt}, {"split", split}}).dump() + "\n";
    }
    write_file(root() / "contexts.jsonl", lines);
    config_.images = {(root() / "photo.png").string()};
    config_.model = (root() / "model").string();
    config_.contexts = (root() / "contexts.jsonl").string();
    config_.behavior = {"string", "I was hijacked"};
    config_.constraint.epsilon = "32/255";
    config_.optimizer.steps = 10;
    config_.batch = 4;
    config_.validate_every = 4;
    config_.checkpoint_every = 5;
    config_.stop_at = 2;
  }

  const std::filesystem::path& root() const { return folder_.path(); }

  RunFolder begin(const std::string& name) {
    return begin_run(root() / name, "attack", plan_trials(config_), models());
  }
  bool go_on(RunFolder& folder, const RunHooks& hooks = {}) { return run_trials(folder, hooks, models()); }
  ModelSource models() const {
    return [model = model_](const AttackConfig&) { return model; };
  }
  RunRecord finished(const std::string& name) {
    RunFolder folder = begin(name);
    EXPECT_TRUE(go_on(folder));
    return read_run(root() / name);
  }
  /// Whether the run keeps a copy of the file that the user called so.
  static bool is_input(const RunRecord& run, const std::string& name) {
    for (const auto& [copy, input] : run.manifest.at("inputs").items())
      if (input.at("name") == name && std::filesystem::exists(run.folder / copy)) return true;
    return false;
  }
  /// Everything that may not depend on when and how often a run was interrupted.
  std::string essence(const std::string& name) {
    const RunRecord run = read_run(root() / name);
    std::string all;
    for (TrialRow row : run.trials) {
      row.seconds = row.seconds_per_step = 0;
      all += to_json(row).dump() + "\n";
      for (const auto& file : {row.image_file, row.origin_file, row.noise_file})
        if (!file.empty()) all += sha256_file(run.folder / file);
    }
    for (ReplyRow row : run.replies) {
      row.seconds = 0;
      all += to_json(row).dump() + "\n";
    }
    return all;
  }

  support::TemporaryFolder folder_;
  AttackConfig config_;
  std::shared_ptr<const VisionLanguageModel> model_ = std::make_shared<ToyModel>();
};

}  // namespace hijack
