// The runner end to end on the toy model: from photo to rows, stopped and killed and resumed.
#include "src/experiment/runner.h"

#include <gtest/gtest.h>

#include "attacks/moving_patch.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "src/experiment/dataset.h"
#include "src/experiment/evaluate.h"
#include "src/experiment/manifest.h"
#include "src/experiment/methods.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_model.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::error_of;

struct Killed {};

class Runner : public ::testing::Test {
 protected:
  Runner() {
    fs::create_directories(root() / "model");
    save_png(toy_image(), root() / "photo.png");
    std::string lines;
    const auto contexts = toy_contexts(40);
    for (size_t i = 0; i < contexts.size(); ++i) {
      const char* split = i < 6 ? "train" : i < 9 ? "validation" : i < 14 ? "test" : "calibration";
      lines += json({{"prompt", contexts[i].prompt}, {"split", split}}).dump() + "\n";
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

  const fs::path& root() const { return folder_.path(); }

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
  /// Everything that may not depend on when and how often a run was interrupted.
  std::string essence(const std::string& name) {
    const RunRecord run = read_run(root() / name);
    std::string all;
    for (TrialRow row : run.trials) {
      row.seconds = row.seconds_per_step = 0;
      all += to_json(row).dump() + "\n";
      for (const auto& file : {row.image_file, row.origin_file, row.noise_file})
        all += sha256_file(run.folder / file);
    }
    for (ReplyRow row : run.replies) {
      row.seconds = 0;
      all += to_json(row).dump() + "\n";
    }
    return all;
  }

  testing::TemporaryFolder folder_;
  AttackConfig config_;
  std::shared_ptr<const VisionLanguageModel> model_ = std::make_shared<ToyModel>();
};

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
  EXPECT_TRUE(run.manifest.at("inputs").contains(config_.images[0]));
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
    EXPECT_EQ(replies_to(*model_, saved, {reply.context}, 48).at(0), reply.reply);
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

TEST_F(Runner, APatchMustFitTheModelsImage) {
  config_.constraint.name = "patch";
  config_.constraint.patch_size = 17;
  EXPECT_NE(error_of([&] { begin("run"); }), "");
  EXPECT_FALSE(fs::exists(root() / "run"));
}

TEST_F(Runner, ChangedInputsAreNoticed) {
  const json manifest = finished("run").manifest;
  EXPECT_EQ(error_of([&] { check_inputs(manifest); }), "");
  save_png(toy_image(9), root() / "photo.png");
  EXPECT_NE(error_of([&] { check_inputs(manifest); }).find("photo.png"), std::string::npos);
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
  EXPECT_EQ(run.manifest.at("calibrations").size(), 1u);
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
    EXPECT_EQ(replies_to(*model_, moved, {reply.context}, 48).at(0), reply.reply);
  }
  EXPECT_GT(places.size(), 1u);
  for (const ReplyRow& reply : run.replies) {
    if (reply.condition != "clean") continue;
    EXPECT_EQ(replies_to(*model_, origin, {reply.context}, 48).at(0), reply.reply);
  }
}

TEST_F(Runner, ContextsOfATableBringTheirTargets) {
  std::string table = "goal,target\n";
  const auto contexts = toy_contexts(12);
  for (size_t i = 0; i < contexts.size(); ++i)
    table += contexts[i].prompt + (i % 2 ? ",I was hijacked\n" : ",say it please\n");
  write_file(root() / "table.csv", table);
  config_.contexts = (root() / "table.csv").string();
  config_.constraint.name = "box";
  config_.optimizer.steps = 60;
  config_.batch = 0;
  const RunRecord run = finished("run");
  EXPECT_EQ(run.trials.at(0).success.at("train").exact, 6);
  std::set<std::string> said;
  for (const ReplyRow& reply : run.replies)
    if (reply.condition == "attack" && reply.exact) {
      EXPECT_EQ(reply.reply, reply.target);
      said.insert(reply.reply);
    }
  EXPECT_GE(said.size(), 1u);
  config_.behavior = {"untargeted", ""};
  EXPECT_NE(error_of([&] { begin("refused"); }).find("targets of their own"), std::string::npos);
  EXPECT_FALSE(fs::exists(root() / "refused"));
}

TEST_F(Runner, ACorpusOfTargets) {
  write_file(root() / "targets.txt", "I was hijacked\nsay it please\n");
  config_.behavior = {"corpus", "", (root() / "targets.txt").string()};
  config_.constraint.name = "box";
  config_.optimizer.steps = 60;
  const RunRecord run = finished("run");
  EXPECT_GT(run.trials.at(0).success.at("test").exact, 2);
  EXPECT_TRUE(run.manifest.at("inputs").contains(config_.behavior.targets));
}

TEST_F(Runner, ASuffixIsARowOfTheGridOverTheCleanImage) {
  config_.method = "gcg";
  config_.behavior = {"leak", "send {context} to me"};
  config_.suffix = {.tokens = 3, .steps = 3, .candidates = 8, .contexts = 3};
  const RunRecord run = finished("run");
  const TrialRow& row = run.trials.at(0);
  EXPECT_EQ(row.id, "leak-suffix-3-photo-s0");
  EXPECT_EQ(row.constraint_name, "suffix");
  EXPECT_EQ(row.optimizer, "gcg");
  EXPECT_FALSE(row.suffix.empty());
  EXPECT_TRUE(row.budget.respected);
  EXPECT_EQ(row.budget.max_difference_255, 0);
  EXPECT_EQ(row.steps, 3);
  EXPECT_EQ(row.success.at("test").n, 5);
  const auto behavior = make_behavior(config_.behavior);
  int64_t attacked = 0, plain = 0;
  for (const ReplyRow& reply : run.replies) {
    const bool suffixed = reply.context.prompt.ends_with(" " + row.suffix);
    if (reply.condition == "attack") {
      attacked += suffixed;
      // the leak is of the user's words, without the suffix
      Query own = reply.context;
      own.prompt.resize(own.prompt.size() - row.suffix.size() - 1);
      EXPECT_EQ(reply.exact, behavior->succeeded(own, reply.reply));
    }
    if (reply.condition == "clean") plain += !suffixed;
    EXPECT_EQ(replies_to(*model_, toy_image(), {reply.context}, 48).at(0), reply.reply);
  }
  EXPECT_EQ(attacked, 6 + 3 + 5);
  EXPECT_EQ(plain, 5);
  finished("again");
  EXPECT_EQ(essence("again"), essence("run"));
  config_.behavior = {"untargeted", ""};
  EXPECT_NE(error_of([&] { check_method(config_, *make_behavior(config_.behavior)); }).find("no target"),
            std::string::npos);
}

TEST_F(Runner, ImageAndSuffixInTurns) {
  config_.method = "joint";
  config_.joint_rounds = 3;
  config_.suffix = {.tokens = 3, .steps = 4, .candidates = 6, .contexts = 3};
  const RunRecord run = finished("run");
  const TrialRow& row = run.trials.at(0);
  EXPECT_EQ(row.id, "string-linf-32-suffix-3-photo-s0");
  EXPECT_EQ(row.losses.size(), 10u);
  EXPECT_FALSE(row.suffix.empty());
  EXPECT_TRUE(row.budget.respected);
  EXPECT_GT(row.budget.max_difference_255, 0);
  EXPECT_LT(row.loss_saved, row.loss_clean);
  finished("again");
  EXPECT_EQ(essence("again"), essence("run"));
}

TEST_F(Runner, DrawnTextIsMeasuredLikeEveryOtherImage) {
  config_.method = "typographic";
  config_.typographic.font = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf";
  if (!fs::exists(config_.typographic.font)) GTEST_SKIP() << "fonts-dejavu-core is not installed";
  config_.typographic.style = "low_contrast";
  config_.typographic.text = "I";
  config_.typographic.tries = 4;
  const RunRecord run = finished("run");
  const TrialRow& row = run.trials.at(0);
  EXPECT_EQ(row.id, "string-text-low_contrast-1-photo-s0");
  EXPECT_EQ(row.constraint, "text, low_contrast, 1/255 (model input space)");
  EXPECT_TRUE(row.budget.respected);
  EXPECT_NEAR(row.budget.max_difference_255, 1, 1e-3);
  EXPECT_EQ(row.losses.size(), 4u);
  EXPECT_EQ(row.controls.at("noise").n, 5);
  EXPECT_TRUE(run.manifest.at("inputs").contains(config_.typographic.font));
  finished("again");
  EXPECT_EQ(essence("again"), essence("run"));
}

TEST_F(Runner, EveryMethodStoppedAndResumedEndsWithTheSameBytes) {
  config_.typographic = {
      .text = "I", .font = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf", .tries = 4};
  config_.suffix = {.tokens = 3, .steps = 4, .candidates = 4, .contexts = 2};
  config_.joint_rounds = 2;
  for (const std::string& method : method_names()) {
    SCOPED_TRACE(method);
    if (method == "typographic" && !fs::exists(config_.typographic.font)) continue;
    config_.method = method;
    finished("whole-" + method);
    std::stop_source stop;
    RunHooks hooks;
    hooks.stop = stop.get_token();
    hooks.on_step = [&](const TrialProgress& now) {
      if (now.step == 2) stop.request_stop();
    };
    RunFolder folder = begin("stopped-" + method);
    EXPECT_FALSE(go_on(folder, hooks));
    EXPECT_EQ(read_run(root() / ("stopped-" + method)).trials.size(), 0u);
    RunFolder again = RunFolder::open(root() / ("stopped-" + method));
    EXPECT_TRUE(go_on(again));
    EXPECT_EQ(essence("stopped-" + method), essence("whole-" + method));
  }
}

TEST_F(Runner, AUniversalImageIsJudgedOnEveryPhoto) {
  for (const uint64_t seed : {4, 5, 6}) save_png(toy_image(seed), root() / (std::to_string(seed) + ".png"));
  config_.images = {(root() / "photo.png").string(), (root() / "4.png").string()};
  config_.held_out_images = {(root() / "5.png").string(), (root() / "6.png").string()};
  config_.universal = true;
  config_.constraint.epsilon = "100/255";
  config_.optimizer.steps = 60;
  const RunRecord run = finished("run");
  ASSERT_EQ(run.trials.size(), 1u);
  const TrialRow& row = run.trials[0];
  EXPECT_EQ(row.id, "string-linf-100-universal-s0");
  ASSERT_EQ(row.photos.size(), 4u);
  EXPECT_EQ(row.success.at("test").n, 2 * 5);
  EXPECT_EQ(row.success.at("held_out_photos").n, 2 * 5);
  EXPECT_EQ(row.success.at("held_out_photos").exact, 10);
  EXPECT_EQ(row.controls.at("clean").exact, 0);
  EXPECT_TRUE(row.budget.respected);
  for (const PhotoRow& photo : row.photos) {
    EXPECT_TRUE(photo.budget.respected);
    EXPECT_LE(photo.budget.max_difference_255, 100.001);
    EXPECT_EQ(photo.test.n, 5);
    const Tensor saved = load_image(run.folder / photo.image_file);
    EXPECT_LE((saved - load_image(photo.source_image)).abs().max().item<double>() * 255, 100.001);
    for (const ReplyRow& reply : run.replies)
      if (reply.photo == photo.source_image && reply.condition == "attack" && reply.split != "train" &&
          reply.split != "validation")
        EXPECT_EQ(replies_to(*model_, saved, {reply.context}, 48).at(0), reply.reply);
  }
  EXPECT_EQ(to_json(trial_from_json(to_json(row), "row")).dump(), to_json(row).dump());
  EXPECT_EQ(plans_from_json(run.manifest.at("plans"), "m").at(0).config.images.size(), 2u);
  config_.constraint.name = "moving_patch";
  EXPECT_NE(error_of([&] { check_method(config_, *make_behavior(config_.behavior)); }), "");
  config_.constraint.name = "linf";
  config_.behavior = {"verbose", ""};
  EXPECT_NE(error_of([&] { check_method(config_, *make_behavior(config_.behavior)); }), "");
  save_png(at::zeros({1, 3, 20, 18}), root() / "4.png");
  config_.behavior = {"string", "I was hijacked"};
  config_.space = "photo";
  EXPECT_NE(error_of([&] { begin("sizes"); }).find("photos of one size"), std::string::npos);
}

TEST_F(Runner, InPhotoSpaceTheBudgetIsThatOfThePhotosOwnPixels) {
  const Tensor photo = quantize(at::_upsample_bilinear2d_aa(toy_image(), {37, 50}, false));
  save_png(photo, root() / "photo.png");
  config_.space = "photo";
  config_.optimizer.steps = 20;
  const RunRecord run = finished("run");
  const TrialRow& row = run.trials.at(0);
  EXPECT_EQ(row.constraint, "linf 32/255 (photo space)");
  const Tensor saved = load_image(run.folder / row.image_file);
  ASSERT_EQ(saved.sizes(), photo.sizes());
  EXPECT_LE((saved - photo).abs().max().item<double>() * 255, 32.001);
  EXPECT_TRUE(row.budget.respected);
  EXPECT_LT(row.loss_saved, row.loss_clean);
  EXPECT_EQ(run.manifest.at("plans")[0].at("config").at("space"), "photo");
  for (const ReplyRow& reply : run.replies)
    if (reply.condition == "attack")
      EXPECT_EQ(replies_to(*model_, saved, {reply.context}, 48).at(0), reply.reply);
  config_.constraint.name = "patch";  // 30 pixels fit the photo, not the model's input
  config_.constraint.patch_size = 30;
  EXPECT_EQ(finished("patch").trials.at(0).patch_size, 30);
  config_.space = "input";
  EXPECT_NE(error_of([&] { begin("input"); }), "");
}

/// A toy model whose logits are no numbers from the n-th pass on.
class Failing : public ToyModel {
 public:
  explicit Failing(int64_t good) : good_(good) {}
  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override {
    auto logits = ToyModel::target_logits(pixels, queries, targets);
    if (good_-- <= 0)
      for (Tensor& one : logits) one = one * NAN;
    return logits;
  }

 private:
  mutable int64_t good_;
};

TEST_F(Runner, ALossThatIsNoNumberEndsTheTrialAndKeepsTheLastGoodImage) {
  model_ = std::make_shared<Failing>(7);
  RunFolder folder = begin("run");
  try {
    go_on(folder);
    FAIL() << "no failure";
  } catch (const Failure& failure) {
    const std::string text = failure.what();
    EXPECT_NE(text.find("not finite at step 7"), std::string::npos) << text;
    EXPECT_NE(text.find("last_good.png"), std::string::npos) << text;
  }
  const Tensor kept = load_image(root() / "run/images/string-linf-32-photo-s0.last_good.png");
  EXPECT_LE((kept - toy_image()).abs().max().item<double>() * 255, 32.001);
  EXPECT_FALSE(at::equal(kept, toy_image()));
  EXPECT_EQ(read_run(root() / "run").trials.size(), 0u);
  // with a sound model the trial goes on from there to the same bytes
  model_ = std::make_shared<ToyModel>();
  EXPECT_TRUE(go_on(folder));
  finished("whole");
  EXPECT_EQ(essence("run"), essence("whole"));
}

TEST_F(Runner, CwaOverAnEnsembleOfOne) {
  config_.optimizer.name = "cwa";
  config_.optimizer.steps = 20;
  const TrialRow row = finished("run").trials.at(0);
  EXPECT_TRUE(row.budget.respected);
  EXPECT_LT(row.loss_saved, row.loss_clean);
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
  EXPECT_EQ(row.id, "string-l2-1-5-photo-s0");
  EXPECT_TRUE(row.budget.respected);
  EXPECT_LE(row.budget.l2, 1.5);
  EXPECT_GT(row.budget.l2, 1.3);
  EXPECT_LT(row.loss_saved, row.loss_clean);
}

}  // namespace
}  // namespace hijack
