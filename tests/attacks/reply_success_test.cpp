// The objective of a model that shows nothing but replies, and black boxes on it.
#include "attacks/objectives/reply_success.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/attack.h"
#include "attacks/loop/attack_state_io.h"
#include "attacks/loop/evaluate.h"
#include "attacks/optimizers/pgd.h"
#include "attacks/wrappers/rgf.h"
#include "src/base/error.h"
#include "tests/support/temporary_folder.h"

namespace hijack::reply_success_test {
namespace {

const std::string kTarget = "Sure, one two three four";

std::vector<Context> questions(int count) {
  std::vector<Context> all;
  for (int i = 0; i < count; ++i) all.push_back({.prompt = "question " + std::to_string(i)});
  return all;
}

std::shared_ptr<const Behavior> saying(const std::string& target) {
  return make_behavior({.name = "string", .target = target});
}

Generated said(const std::string& text) {
  return {text, false};
}

/// The objective over contexts that are answered by number.
double loss_of(const std::vector<std::string>& replies, ReplySuccess::Options options = {},
               const std::string& target = kTarget) {
  ReplySuccess one(
      [&](const Tensor&, const std::vector<Query>& queries) {
        std::vector<Generated> answers;
        for (const Query& query : queries)
          answers.push_back(said(replies.at(static_cast<size_t>(std::stoi(query.prompt.substr(9))))));
        return answers;
      },
      saying(target), questions(static_cast<int>(replies.size())), options);
  return one.loss(at::zeros({1, 3, 4, 4}), 0).item<double>();
}

TEST(Closeness, IsTheShareBegunAndTheShareOfWords) {
  EXPECT_DOUBLE_EQ(closeness("one two three four", "one two three four"), 1);
  EXPECT_DOUBLE_EQ(closeness("ONE  two\nthree four, and more", "one two three four"), (1 + 3. / 4) / 2);
  EXPECT_DOUBLE_EQ(closeness("", "one two"), 0);
  EXPECT_DOUBLE_EQ(closeness("on the way", "one two"), 2. / 6 / 2) << "two letters of six, and no word";
  EXPECT_DOUBLE_EQ(closeness("so two one", "one two"), .5) << "both words, somewhere";
  EXPECT_DOUBLE_EQ(closeness("two", "two two two two"), (3. / 12 + 1. / 4) / 2) << "each word as often";
  EXPECT_DOUBLE_EQ(closeness("anything", ""), 1);
}

TEST(ReplySuccess, OneSuccessMoreCountsForMoreThanAllElse) {
  EXPECT_DOUBLE_EQ(loss_of({kTarget, kTarget}), 0);
  EXPECT_FLOAT_EQ(static_cast<float>(loss_of({"no", "no"})), 1.25F);
  EXPECT_FLOAT_EQ(static_cast<float>(loss_of({kTarget, "no"})), .625F);
  const double nearly = loss_of({kTarget + "!", kTarget + "!"}), one = loss_of({kTarget, "no"});
  EXPECT_LT(one, nearly) << "however near the others come";
  EXPECT_LT(nearly, loss_of({"Sure", "Sure"})) << "and among equals, the nearer ones";
  EXPECT_LT(loss_of({"Sure, one", "no"}), loss_of({"Sure", "no"}));
  // what shall no longer be said
  const ReplySuccess::Options away{.away = true};
  EXPECT_GT(loss_of({"Sure, one"}, away), loss_of({"Sure"}, away));
}

TEST(ReplySuccess, AStepAsksItsContextsAndCountsTheHardest) {
  std::vector<std::string> replies(8, kTarget);
  replies[3] = "no";
  EXPECT_DOUBLE_EQ(loss_of(replies, {.batch = 2, .hardest_of = 4}), 1.25 / 2) << "one of the two fails";
  int64_t asked = 0, images = 0;
  ReplySuccess one(
      [&](const Tensor& image, const std::vector<Query>& queries) {
        EXPECT_EQ(image.size(0), 1);
        asked += static_cast<int64_t>(queries.size()), ++images;
        return std::vector<Generated>(queries.size(),
                                      said(image.mean().item<double>() > .5 ? kTarget : "no"));
      },
      saying(kTarget), questions(8), {.batch = 2, .seed = 3});
  const Tensor losses = one.loss(at::cat({at::zeros({1, 3, 4, 4}), at::ones({1, 3, 4, 4})}), 0);
  EXPECT_FLOAT_EQ(losses[0].item<float>(), 1.25F);
  EXPECT_EQ(losses[1].item<float>(), 0);
  EXPECT_EQ(asked, 4);
  EXPECT_EQ(images, 2);
  EXPECT_FALSE(one.deterministic());
  EXPECT_TRUE(one.stepwise());
}

/// A model that says one word more of the target for each 0.001 that the upper half is brighter than the
/// lower one.
std::vector<Generated> lightly(const Tensor& image, const std::vector<Query>& queries) {
  const double light = (image.narrow(2, 0, 8).mean() - image.narrow(2, 8, 8).mean()).item<double>();
  std::istringstream words(kTarget);
  std::string reply;
  for (auto left = static_cast<int64_t>(light / .001); left > 0; --left)
    if (std::string word; words >> word) reply += (reply.empty() ? "" : " ") + word;
  return std::vector<Generated>(queries.size(), said(reply));
}

struct BlackBox {
  explicit BlackBox(const AskReplies& ask) {
    options.steps = 12;
    options.validate_every = 0;
    objective = std::make_unique<Rgf>(
        std::make_unique<ReplySuccess>(ask, saying(kTarget), questions(3), ReplySuccess::Options{}), 6, .05,
        1);
  }
  AttackState run(const AttackHooks& hooks = {}) {
    AttackState state = start_attack(ball, origin, false, 1);
    run_attack(state, *objective, pgd, ball, origin, options, hooks);
    return state;
  }
  Constraint ball = LinfBall{32.0 / 255};
  Tensor origin = at::full({1, 3, 16, 16}, 128.0 / 255);
  Pgd pgd{{.steps = 12, .step_size = 8.0 / 255, .momentum = 0, .final_step = 1}, ball};
  AttackOptions options;
  std::unique_ptr<Objective> objective;
};

TEST(ReplySuccess, RgfFindsItsWayByReplies) {
  BlackBox box(lightly);
  const AttackState found = box.run();
  EXPECT_GT(found.losses.front(), 1);
  EXPECT_EQ(*std::min_element(found.losses.begin(), found.losses.end()), 0);
  EXPECT_LT(steps_without_difference(found.objective), 12);
}

TEST(ReplySuccess, WithoutAnyDifferenceRgfTakesNoStep) {
  BlackBox box([](const Tensor&, const std::vector<Query>& queries) {
    return std::vector<Generated>(queries.size(), said("I cannot say"));
  });
  support::TemporaryFolder folder;
  const AttackState stood = box.run({.after_step = [&](const AttackState& now) {
    if (now.step == 5) save_attack_state(now, folder.path() / "five");
  }});
  EXPECT_TRUE(at::equal(stood.image, box.origin));
  EXPECT_EQ(steps_without_difference(stood.objective), 12);
  AttackState resumed = load_attack_state(folder.path() / "five", at::kCPU);
  BlackBox again([](const Tensor&, const std::vector<Query>& queries) {
    return std::vector<Generated>(queries.size(), said("I cannot say"));
  });
  run_attack(resumed, *again.objective, again.pgd, again.ball, again.origin, again.options);
  EXPECT_EQ(steps_without_difference(resumed.objective), 12) << "counted over the stop";
  ObjectiveState broken = stood.objective;
  broken["steps_without_difference"] = at::zeros({2});
  EXPECT_THROW(again.objective->restore(broken), Error);
}

/// Losses that say how likely a target is are never flat: there a zero means a broken model.
TEST(ReplySuccess, AZeroGradientOfALossIsStillAnError) {
  class Flat : public Objective {
   public:
    Tensor loss(const Tensor& image, int64_t) override { return 0 * image.sum({1, 2, 3}); }
    bool deterministic() const override { return true; }
  };
  Rgf flat(std::make_unique<Flat>(), 2, .05, 1);
  EXPECT_THROW(evaluate(flat, at::full({1, 3, 4, 4}, .5), 0), Failure);
  EXPECT_TRUE(flat.state().empty());
}

}  // namespace
}  // namespace hijack::reply_success_test
