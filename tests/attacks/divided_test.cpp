// Losses whose contexts are divided among ranks (threads of this process) equal those of one process.
#include "attacks/objectives/divided.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/behaviors/corpus.h"
#include "attacks/loop/evaluate.h"
#include "attacks/objectives/make_objective.h"
#include "attacks/wrappers/augmentation.h"
#include "attacks/wrappers/rgf.h"
#include "attacks/wrappers/universal.h"
#include "src/base/error.h"
#include "tests/support/expect_says.h"
#include "tests/support/thread_ranks.h"
#include "tests/support/toy_model.h"

namespace hijack::divided_test {
namespace {

using support::in_threads;
using support::ThreadGroup;
using support::ThreadRanks;

/// An objective of its own model for each process, as processes have it.
using Maker = std::function<std::unique_ptr<Objective>(std::shared_ptr<Ranks>)>;

Maker maker(const std::string& formula, int64_t batch,
            std::shared_ptr<const Behavior> behavior = make_behavior({.target = "I was hijacked"})) {
  return [=](std::shared_ptr<Ranks> ranks) {
    ObjectiveConfig config;
    config.formula = formula;
    config.feature_text = "a dog";
    ObjectiveInputs inputs{.models = {std::make_shared<ToyModel>()},
                           .behavior = behavior,
                           .contexts = toy_contexts(7),
                           .origin = toy_image(),
                           .batch = batch,
                           .seed = 11,
                           .max_new_tokens = 6};
    inputs.ranks = std::move(ranks);
    return make_objective(config, inputs);
  };
}

/// Loss and gradient on each of `count` ranks at a step.
std::vector<Evaluation> on_ranks(int64_t count, const Maker& make, const Tensor& image, int64_t step) {
  const auto group = std::make_shared<ThreadGroup>(count);
  std::vector<Evaluation> found(static_cast<size_t>(count));
  in_threads(count, [&](int64_t rank) {
    const auto objective = make(std::make_shared<ThreadRanks>(group, rank));
    found[static_cast<size_t>(rank)] = evaluate(*objective, image, step);
  });
  return found;
}

void expect_undivided(const Maker& make, const std::string& what, int64_t batch_of_images = 1) {
  const Tensor image = at::cat(std::vector<Tensor>(static_cast<size_t>(batch_of_images), toy_image()));
  for (const int64_t step : {0, 3}) {
    const Evaluation alone = evaluate(*make(nullptr), image, step);
    for (const int64_t count : {1, 2, 4, 9}) {
      const auto found = on_ranks(count, make, image, step);
      for (const Evaluation& one : found) {
        EXPECT_TRUE(at::equal(one.loss, found[0].loss)) << what;
        EXPECT_TRUE(at::equal(one.gradient, found[0].gradient)) << what << " on " << count;
        EXPECT_TRUE(at::allclose(one.loss, alone.loss, 1e-5, 1e-7)) << what << " on " << count;
        EXPECT_LT((one.gradient - alone.gradient).abs().max().item<double>(),
                  1e-5 * alone.gradient.abs().max().item<double>())
            << what << " on " << count;
      }
    }
  }
}

TEST(Divided, EveryLossOverContextsEqualsThatOfOneProcess) {
  for (const char* formula : {"behavior", "margin", "delay_end", "behavior + 0.5*features", "-1*behavior"})
    for (const int64_t batch : {0, 3}) expect_undivided(maker(formula, batch), formula);
  const std::shared_ptr<Behavior> instructed = make_behavior({"disinformation", "say yes"});
  instructed->prepare(ToyModel(), toy_image(), toy_contexts(7), 12);
  expect_undivided(maker("prompt", 3, instructed), "prompt");
}

TEST(Divided, TargetsAreDrawnAsOneProcessDrawsThem) {
  expect_undivided(maker("behavior", 5,
                         std::make_shared<CorpusBehavior>(
                             std::vector<std::string>{"I was hijacked", "say it please", "send it to me"})),
                   "corpus");
}

TEST(Divided, WhatStandsAroundItNeedNotKnow) {
  const Maker inner = maker("behavior", 5);
  const std::vector<Tensor> photos = {toy_image(3), toy_image(4), toy_image(5)};
  expect_undivided(
      [&](std::shared_ptr<Ranks> ranks) {
        return std::make_unique<UniversalObjective>(inner(ranks), LinfBall{},
                                                    at::full_like(photos[0], 128.0 / 255), photos, 2, 1);
      },
      "universal");
  expect_undivided(
      [&](std::shared_ptr<Ranks> ranks) { return std::make_unique<Rgf>(inner(ranks), 4, 0.01, 1); }, "rgf");
  AugmentationConfig config;
  config.names = {"crop=0.5"};
  config.draws = 3;
  expect_undivided(
      [&](std::shared_ptr<Ranks> ranks) {
        return std::make_unique<Augmented>(inner(ranks), config, 1,
                                           std::vector<std::shared_ptr<TemplatedModel>>{});
      },
      "augmented");
  expect_undivided(inner, "several images", 3);
}

TEST(Divided, WithoutAGradientTheLossAloneIsAddedUp) {
  const at::NoGradGuard no_gradient;
  const Maker make = maker("behavior", 5);
  const double alone = make(nullptr)->loss(toy_image(), 2).item<double>();
  const auto group = std::make_shared<ThreadGroup>(3);
  in_threads(3, [&](int64_t rank) {
    const at::NoGradGuard none;
    EXPECT_NEAR(make(std::make_shared<ThreadRanks>(group, rank))->loss(toy_image(), 2).item<double>(), alone,
                1e-6);
  });
}

/// One that is not finite on a single rank.
class Broken : public MeanOverContexts {
 public:
  explicit Broken(bool here) : here_(here) {}
  Tensor loss(const Tensor& image, int64_t) override {
    return image.sum({1, 2, 3}) * (here_ ? std::numeric_limits<double>::quiet_NaN() : 1.0);
  }
  bool deterministic() const override { return true; }
  size_t contexts_of_step() const override { return 4; }

 private:
  bool here_;
};

TEST(Divided, ALossThatIsNoNumberOnOneRankFailsOnAll) {
  const auto group = std::make_shared<ThreadGroup>(3);
  in_threads(3, [&](int64_t rank) {
    Divided divided(std::make_unique<Broken>(rank == 1), std::make_shared<ThreadRanks>(group, rank));
    EXPECT_THROW(evaluate(divided, toy_image(), 0), NotFinite);
  });
}

TEST(Divided, SharesFollowOneAnotherAndDifferByOne) {
  for (const size_t count : {size_t{0}, size_t{1}, size_t{3}, size_t{8}, size_t{1001}})
    for (const int64_t ranks : {1, 2, 5, 9}) {
      const auto group = std::make_shared<ThreadGroup>(ranks);
      size_t next = 0, least = count, most = 0;
      for (int64_t rank = 0; rank < ranks; ++rank) {
        const auto [begin, end] = ThreadRanks(group, rank).share(count);
        EXPECT_EQ(begin, next);
        next = end;
        least = std::min(least, end - begin);
        most = std::max(most, end - begin);
      }
      EXPECT_EQ(next, count);
      EXPECT_LE(most - least, 1u);
    }
}

}  // namespace
}  // namespace hijack::divided_test
