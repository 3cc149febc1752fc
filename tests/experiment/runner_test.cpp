// The runner end to end on the toy model: from photo to rows, stopped and killed and resumed.
#include "src/experiment/run/runner.h"

#include <gtest/gtest.h>

#include "attacks/wrappers/moving_patch.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/experiment/evaluate/evaluate.h"
#include "src/experiment/plan/dataset.h"
#include "src/experiment/record/manifest.h"
#include "tests/support/toy_runs.h"

namespace hijack::runner_test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using support::error_of;

struct Killed {};

using Runner = ToyRuns;

TEST_F(Runner, OneTrialEndToEnd) {
  config_.constraint.name = "box";
  config_.optimizer.steps = 60;
  config_.validate_every = 20;
  const RunRecord run = finished("run");
  ASSERT_EQ(run.trials.size(), 1u);
  const TrialRow& row = run.trials[0];
  EXPECT_EQ(row.id, "string-box-photo-s0");
  EXPECT_EQ(row.steps, 60);
  EXPECT_EQ(row.losses.size(), 60u);
  EXPECT_TRUE(row.budget.respected);
  EXPECT_LT(row.loss_saved, row.loss_clean);
  EXPECT_EQ(row.success.at("train").n, 6);
  EXPECT_EQ(row.success.at("validation").n, 3);
  EXPECT_EQ(row.success.at("test").n, 5);
  EXPECT_EQ(row.success.at("test").exact, 5);
  EXPECT_EQ(row.controls.at("clean").exact, 0);
  EXPECT_EQ(row.controls.at("noise").n, 5);
  EXPECT_EQ(run.replies.size(), 6u + 3 + 5 + 5 + 5);
  EXPECT_TRUE(on_lattice(load_image(run.folder / row.image_file)));
  EXPECT_EQ(run.manifest.at("command"), "attack");
  EXPECT_TRUE(is_input(run, config_.images[0]));
  EXPECT_FALSE(fs::exists(run.folder / "checkpoints"));
}

TEST_F(Runner, TheReportedNumbersAreThoseOfTheSavedFile) {
  const RunRecord run = finished("run");
  const TrialRow& row = run.trials[0];
  const Tensor saved = load_image(run.folder / row.image_file);
  const Tensor origin = load_image(run.folder / row.origin_file);
  const double difference = (saved - origin).abs().max().item<double>() * 255;
  EXPECT_NEAR(row.budget.max_difference_255, difference, 1e-3);
  EXPECT_GT(difference, 0.5);
  EXPECT_LE(difference, 32.001);
  int64_t exact = 0;
  for (const ReplyRow& reply : run.replies) {
    if (reply.condition != "attack" || reply.split != "test") continue;
    EXPECT_EQ(replies_to(*model_, saved, {reply.context}, 48).at(0).text, reply.reply);
    exact += reply.exact;
  }
  EXPECT_EQ(exact, row.success.at("test").exact);
}

TEST_F(Runner, EpsilonZeroChangesNothing) {
  config_.constraint.epsilon = "0/255";
  const RunRecord run = finished("run");
  const TrialRow& row = run.trials.at(0);
  EXPECT_EQ(row.budget.max_difference_255, 0);
  EXPECT_EQ(sha256_file(run.folder / row.image_file), sha256_file(run.folder / row.origin_file));
  EXPECT_EQ(row.loss_saved, row.loss_clean);
}

TEST_F(Runner, SameSeedSameBytesOtherSeedOthers) {
  finished("a");
  finished("b");
  EXPECT_EQ(essence("a"), essence("b"));
  config_.seeds = {1};
  finished("c");
  EXPECT_NE(essence("a"), essence("c"));
}

TEST_F(Runner, StoppedAndResumedEndsWithTheSameBytes) {
  finished("whole");
  for (const int64_t at : {1, 5, 7, 10}) {
    const std::string name = "stopped-" + std::to_string(at);
    std::stop_source stop;
    RunHooks hooks;
    hooks.stop = stop.get_token();
    hooks.on_step = [&](const TrialProgress& now) {
      if (now.step == at) stop.request_stop();
    };
    RunFolder folder = begin(name);
    EXPECT_FALSE(go_on(folder, hooks));
    EXPECT_EQ(read_run(root() / name).trials.size(), 0u);
    if (at == 5) fs::remove_all(root() / name / "images");  // empty: git keeps no such folder
    RunFolder again = RunFolder::open(root() / name);
    EXPECT_TRUE(go_on(again));
    EXPECT_EQ(essence(name), essence("whole")) << "stopped after step " << at;
  }
}

TEST_F(Runner, KilledAndResumedEndsWithTheSameBytes) {
  config_.seeds = {0, 1};
  finished("whole");
  RunHooks hooks;
  hooks.on_step = [](const TrialProgress& now) {
    if (now.trial.ends_with("s1") && now.step == 8) throw Killed();
  };
  RunFolder folder = begin("killed");
  EXPECT_THROW(go_on(folder, hooks), Killed);
  // A row half-written, and replies of a trial that never got its row.
  std::ofstream(root() / "killed/trials.jsonl", std::ios::app) << R"({"id": "string-li)";
  std::ofstream(root() / "killed/replies.jsonl", std::ios::app)
      << R"({"trial": "string-linf-32-photo-s1", "condition": "attack"})"
      << "\n";
  RunFolder again = RunFolder::open(root() / "killed");
  EXPECT_EQ(again.finished().size(), 1u);
  EXPECT_TRUE(go_on(again));
  EXPECT_EQ(essence("killed"), essence("whole"));
}

TEST_F(Runner, AFolderHoldsOneRun) {
  finished("run");
  EXPECT_NE(error_of([&] { begin("run"); }).find("already holds another run"), std::string::npos);
  EXPECT_NE(error_of([&] { check_new_run(root() / "photo.png"); }), "");
  EXPECT_NE(error_of([&] { check_new_run("/proc/hijack/run"); }).find("cannot be written"),
            std::string::npos);
  EXPECT_NE(error_of([&] { RunFolder::open(root() / "nothing"); }), "");
  EXPECT_EQ(error_of([&] { check_new_run(root() / "deep/in/new"); }), "");
  EXPECT_FALSE(fs::exists(root() / "deep"));
}

TEST_F(Runner, NothingIsWrittenForBadInputs) {
  write_file(root() / "photo.png", "not an image");
  EXPECT_NE(error_of([&] { begin("run"); }), "");
  EXPECT_FALSE(fs::exists(root() / "run"));
  save_png(toy_image(), root() / "photo.png");
  config_.test = 1000;
  EXPECT_NE(error_of([&] { begin("run"); }), "");
  EXPECT_FALSE(fs::exists(root() / "run"));
}

TEST_F(Runner, WrongInputFoundAtTheFirstStepLeavesNoFolder) {
  config_.behavior.target = "I I I I I I I I I I I I I I I I I I I I I I I I I I I I I I";
  EXPECT_NE(error_of([&] { finished("run"); }).find("tokens"), std::string::npos);
  EXPECT_FALSE(fs::exists(root() / "run"));
}

TEST_F(Runner, AnyFailureBeforeTheFirstCheckpointLeavesWhatWasThere) {
  const auto killed_at = [&](const std::string& name, int64_t step) {
    RunHooks hooks;
    hooks.on_step = [step](const TrialProgress& now) {
      if (now.step == step) throw Killed();
    };
    RunFolder folder = begin(name);
    EXPECT_THROW(go_on(folder, hooks), Killed);
  };
  killed_at("new/deep/run", 1);  // the first checkpoint comes after step 5
  EXPECT_FALSE(fs::exists(root() / "new"));
  fs::create_directories(root() / "mine");
  write_file(root() / "mine/notes.txt", "keep");
  killed_at("mine", 1);
  EXPECT_EQ(read_file(root() / "mine/notes.txt"), "keep");
  EXPECT_EQ(std::distance(fs::directory_iterator(root() / "mine"), fs::directory_iterator()), 1);
  killed_at("late", 6);
  EXPECT_TRUE(fs::exists(root() / "late/manifest.json")) << "there is something to go on with";
  RunFolder opened = RunFolder::open(root() / "late");
  fs::remove_all(root() / "late/checkpoints");
  opened.discard_if_untouched();
  EXPECT_TRUE(fs::exists(root() / "late/manifest.json")) << "a run that was opened is somebody's";
}

TEST_F(Runner, ARunResumedAfterItsLastStepKnowsItsTime) {
  std::stop_source stop;
  RunHooks hooks;
  hooks.stop = stop.get_token();
  hooks.on_step = [&](const TrialProgress& now) {
    if (now.step == 10) stop.request_stop();
  };
  RunFolder folder = begin("run");
  EXPECT_FALSE(go_on(folder, hooks));
  RunFolder again = RunFolder::open(root() / "run");
  EXPECT_TRUE(go_on(again));
  const TrialRow row = read_run(root() / "run").trials.at(0);
  EXPECT_GT(row.seconds_per_step, 0);
  EXPECT_NEAR(row.seconds, 10 * row.seconds_per_step, 1e-9);
}

TEST_F(Runner, AnEarlyStopIsNamed) {
  config_.constraint.name = "box";
  config_.optimizer.steps = 60;
  config_.validate_every = 5;
  config_.stop_at = 1;
  std::string notes;
  RunHooks hooks;
  hooks.on_note = [&](const std::string& text) { notes += text + "\n"; };
  RunFolder folder = begin("run");
  EXPECT_TRUE(go_on(folder, hooks));
  const TrialRow row = read_run(root() / "run").trials.at(0);
  ASSERT_LT(row.steps, 60);
  EXPECT_EQ(row.stopped, "validation reached 100 %");
  EXPECT_NE(notes.find("stopped at step " + std::to_string(row.steps) + " of 60: validation reached 100 %"),
            std::string::npos)
      << notes;
  config_.stop_at = 2;
  EXPECT_EQ(finished("whole").trials.at(0).stopped, "");
}

TEST_F(Runner, ProgressSaysWhatIsLeft) {
  config_.seeds = {0, 1, 2};
  std::vector<std::array<int64_t, 3>> seen;
  RunHooks hooks;
  hooks.on_step = [&](const TrialProgress& now) {
    if (now.step == 1) seen.push_back({now.number, now.trials, now.steps_after});
  };
  RunFolder folder = begin("run");
  EXPECT_TRUE(go_on(folder, hooks));
  const std::vector<std::array<int64_t, 3>> expected = {{1, 3, 20}, {2, 3, 10}, {3, 3, 0}};
  EXPECT_EQ(seen, expected);
}

TEST_F(Runner, AMachineChangesWhereAndNotWhat) {
  AttackConfig config;
  Machine{"cuda:1", 3}.put_into(config);
  EXPECT_EQ(config.device, "cuda:1");
  EXPECT_EQ(config.threads, 3);
  EXPECT_EQ(config.dtype, "float32") << "auto would be bfloat16 there";
  AttackConfig gpu;
  gpu.device = "cuda";
  Machine{"cpu", std::nullopt}.put_into(gpu);
  EXPECT_EQ(gpu.dtype, "bfloat16");
  AttackConfig wide;
  wide.device = "cuda";
  wide.model = HIJACK_SOURCE_DIR "/tests/golden/encoders/clip";
  EXPECT_EQ(dtype_of(wide), "autocast") << "its weights are stored in float32";
  Machine{"cpu", std::nullopt}.put_into(wide);
  EXPECT_EQ(wide.dtype, "autocast");
  EXPECT_EQ(gpu.threads, 0);
  AttackConfig same;
  Machine{"", 0}.put_into(same);
  EXPECT_EQ(same.dtype, "auto");
  EXPECT_EQ(same.device, "cpu");
}

TEST_F(Runner, APatchMustFitTheModelsImage) {
  config_.constraint.name = "patch";
  config_.constraint.patch_size = 17;
  EXPECT_NE(error_of([&] { begin("run"); }), "");
  EXPECT_FALSE(fs::exists(root() / "run"));
}

TEST_F(Runner, ChangedInputsAreNoticed) {
  finished("run");
  const auto opened = [&] { return error_of([&] { RunFolder::open(root() / "run").plans(); }); };
  save_png(toy_image(9), root() / "photo.png");  // the run has a copy of its own
  EXPECT_EQ(opened(), "");
  write_file(root() / "model" / "config.json", "{}");
  EXPECT_NE(opened().find("config.json"), std::string::npos);
}

TEST_F(Runner, EvaluateComparesDefensesAndAsksNothingTwice) {
  finished("run");
  EvaluateConfig evaluate;
  evaluate.defense.defenses = {"bit_depth", "perplexity"};
  evaluate.stack = true;
  evaluate.utility = 4;
  evaluate.suffix.tokens = 3;
  evaluate.suffix.steps = 2;
  EXPECT_TRUE(evaluate_run(root() / "run", evaluate, {}, models()));
  const RunRecord run = read_run(root() / "run");
  std::map<std::string, int> rows;
  for (const ReplyRow& reply : run.replies)
    ++rows[reply.condition + "/" + (reply.defense == "none" ? "none" : "some")];
  EXPECT_EQ(rows["attack/some"], 3 * 5);
  EXPECT_EQ(rows["clean/some"], 3 * 5);
  EXPECT_EQ(rows["text_suffix/some"], 3 * 5);
  EXPECT_EQ(rows["text_suffix/none"], 5);
  EXPECT_EQ(rows["benign/some"], 3 * 4);
  EXPECT_EQ(rows["benign/none"], 4);
  EXPECT_EQ(rows["clean/none"], 5);
  EXPECT_EQ(run.manifest.at("calibrations").size(), 2u);  // alone, and in the stack
  EXPECT_EQ(run.manifest.at("text_suffixes").size(), 1u);
  EXPECT_TRUE(evaluate_run(root() / "run", evaluate, {}, models()));
  EXPECT_EQ(read_run(root() / "run").replies.size(), run.replies.size());
}

TEST_F(Runner, EvaluateRefusesWhatItCannotDo) {
  finished("run");
  const auto refused = [&](const EvaluateConfig& config) {
    return error_of([&] { evaluate_run(root() / "run", config, {}, models()); });
  };
  EXPECT_NE(refused({}).find("--defense"), std::string::npos);
  EXPECT_NE(refused({.defense = {.defenses = {"jpg"}}}).find("jpeg"), std::string::npos);
  EXPECT_NE(refused({.defense = {.defenses = {"jpeg"}}, .utility = -1}), "");
  EXPECT_NE(error_of([&] { evaluate_run(root(), {.defense = {.defenses = {"jpeg"}}}, {}, models()); }), "");
}

TEST_F(Runner, AMovingPatchIsJudgedAtAnotherPlaceForEachContext) {
  config_.constraint.name = "moving_patch";
  config_.constraint.patch_size = 8;
  config_.optimizer.steps = 30;
  const RunRecord run = finished("run");
  const TrialRow& row = run.trials.at(0);
  EXPECT_EQ(row.id, "string-moving_patch-8-photo-s0");
  EXPECT_EQ(row.patch_size, 8);
  EXPECT_TRUE(row.budget.respected);
  const MovingPatch patch{8, 0, 0};
  const Tensor saved = load_image(run.folder / row.image_file);
  const Tensor origin = load_image(run.folder / row.origin_file);
  EXPECT_TRUE(measure_budget(patch, saved, origin).respected);
  EXPECT_FALSE(at::equal(saved, origin));
  // Every reply follows from the saved file: the content of its patch, put at the place drawn for the
  // context.
  const Location at = draw_location(patch, origin, 0, "place in the file", 0);
  std::set<std::pair<int64_t, int64_t>> places;
  int64_t i = 0;
  for (const ReplyRow& reply : run.replies) {
    if (reply.condition != "attack" || reply.split != "test") continue;
    const Location to = draw_location(patch, origin, 0, "place for test", i++);
    places.insert({to.top, to.left});
    const Tensor moved = move_patch(patch, saved, at, to, origin);
    EXPECT_EQ(replies_to(*model_, moved, {reply.context}, 48).at(0).text, reply.reply);
  }
  EXPECT_GT(places.size(), 1u);
  for (const ReplyRow& reply : run.replies) {
    if (reply.condition != "clean") continue;
    EXPECT_EQ(replies_to(*model_, origin, {reply.context}, 48).at(0).text, reply.reply);
  }
}

TEST_F(Runner, RestartsAndStopLossReachTheAttack) {
  config_.optimizer.steps = 4;
  config_.restarts = 2;
  EXPECT_EQ(finished("restarts").trials.at(0).steps, 12);
  config_.stop_loss = 1000;
  const TrialRow stopped = finished("stopped").trials.at(0);
  EXPECT_EQ(stopped.steps, 0);
  EXPECT_EQ(stopped.budget.max_difference_255, 0);
}

TEST_F(Runner, ApgdInAnL2Ball) {
  config_.constraint.name = "l2";
  config_.constraint.l2_radius = 1.5;
  config_.optimizer.name = "apgd";
  config_.batch = 0;
  const TrialRow row = finished("run").trials.at(0);
  EXPECT_EQ(row.id, "string-l2-1.5-photo-s0");
  EXPECT_TRUE(row.budget.respected);
  EXPECT_LE(row.budget.l2, 1.5);
  EXPECT_GT(row.budget.l2, 1.3);
  EXPECT_LT(row.loss_saved, row.loss_clean);
}

}  // namespace
}  // namespace hijack::runner_test
