// What a trial can search, end to end on the toy model: suffixes, drawn text, universal images, photo space.
#include "src/experiment/plan/methods.h"

#include <gtest/gtest.h>

#include "src/base/file.h"
#include "src/base/image.h"
#include "tests/support/toy_runs.h"

namespace hijack::methods_test {
namespace {

namespace fs = std::filesystem;
using support::error_of;

using Methods = ToyRuns;

TEST_F(Methods, ContextsOfATableBringTheirTargets) {
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

TEST_F(Methods, ACorpusOfTargets) {
  write_file(root() / "targets.txt", "I was hijacked\nsay it please\n");
  config_.behavior = {"corpus", "", (root() / "targets.txt").string()};
  config_.constraint.name = "box";
  config_.optimizer.steps = 60;
  const RunRecord run = finished("run");
  EXPECT_GT(run.trials.at(0).success.at("test").exact, 2);
  EXPECT_TRUE(is_input(run, config_.behavior.targets));
}

TEST_F(Methods, ASuffixIsARowOfTheGridOverTheCleanImage) {
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
      EXPECT_EQ(reply.exact, behavior->succeeded(own, {reply.reply, reply.cut}));
    }
    if (reply.condition == "clean") plain += !suffixed;
    EXPECT_EQ(replies_to(*model_, toy_image(), {reply.context}, 48).at(0).text, reply.reply);
  }
  EXPECT_EQ(attacked, 6 + 3 + 5);
  EXPECT_EQ(plain, 5);
  finished("again");
  EXPECT_EQ(essence("again"), essence("run"));
  config_.behavior = {"untargeted", ""};
  EXPECT_NE(error_of([&] { check_method(config_, *make_behavior(config_.behavior)); }).find("no target"),
            std::string::npos);
}

TEST_F(Methods, TheUserHearsThatSwapsAreNotRanked) {
  config_.method = "gcg";
  config_.suffix = {.tokens = 3, .steps = 2, .candidates = 4, .contexts = 3};
  const auto heard = [&](const std::string& name) {
    std::string text;
    RunFolder folder = begin(name);
    EXPECT_TRUE(go_on(folder, {.on_note = [&](const std::string& note) { text += note + "\n"; }}));
    return text.find("not ranked by the gradient") != std::string::npos;
  };
  EXPECT_TRUE(heard("unranked")) << "the toy model cannot say where a suffix stands";
  config_.suffix.top_k = 0;
  EXPECT_FALSE(heard("random")) << "as asked for";
}

TEST_F(Methods, ImageAndSuffixInTurns) {
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

TEST_F(Methods, DrawnTextIsMeasuredLikeEveryOtherImage) {
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
  EXPECT_TRUE(is_input(run, config_.typographic.font));
  finished("again");
  EXPECT_EQ(essence("again"), essence("run"));
}

TEST_F(Methods, EveryMethodStoppedAndResumedEndsWithTheSameBytes) {
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

TEST_F(Methods, AUniversalImageIsJudgedOnEveryPhoto) {
  save_png(toy_image(4), root() / "4.png");
  for (const double share : {.3, .6})  // the held-out ones lie between the others
    save_png(quantize(share * toy_image() + (1 - share) * toy_image(4)),
             root() / (share < .5 ? "5.png" : "6.png"));
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
  EXPECT_GT(row.success.at("test").exact, 5);
  EXPECT_GT(row.success.at("held_out_photos").exact, 3);
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
          reply.split != "validation") {
        EXPECT_EQ(replies_to(*model_, saved, {reply.context}, 48).at(0).text, reply.reply);
      }
  }
  EXPECT_EQ(to_json(trial_from_json(to_json(row), "row")).dump(), to_json(row).dump());
  EXPECT_EQ(run.manifest.at("plans").at(0).at("config").at("image").size(), 2u);
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

TEST_F(Methods, InPhotoSpaceTheBudgetIsThatOfThePhotosOwnPixels) {
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
    if (reply.condition == "attack") {
      EXPECT_EQ(replies_to(*model_, saved, {reply.context}, 48).at(0).text, reply.reply);
    }
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

TEST_F(Methods, ALossThatIsNoNumberEndsTheTrialAndKeepsTheLastGoodImage) {
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

TEST_F(Methods, CwaOverAnEnsembleOfOne) {
  config_.optimizer.name = "cwa";
  config_.optimizer.steps = 20;
  const TrialRow row = finished("run").trials.at(0);
  EXPECT_TRUE(row.budget.respected);
  EXPECT_LT(row.loss_saved, row.loss_clean);
}

}  // namespace
}  // namespace hijack::methods_test
