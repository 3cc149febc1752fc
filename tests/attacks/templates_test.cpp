#include "attacks/wrappers/templates.h"

#include <gtest/gtest.h>

#include "attacks/loop/evaluate.h"
#include "attacks/objectives/make_objective.h"
#include "attacks/wrappers/augmentation.h"
#include "attacks/wrappers/cropa.h"
#include "src/base/error.h"
#include "tests/support/finite_difference.h"
#include "tests/support/toy_model.h"

namespace hijack::templates_test {
namespace {

const std::vector<ChatSetting> kSettings = {{}, {.system = "say red"}, {.earlier = {{"is it red", "yes"}}}};

/// Remembers what it was asked.
class Listening : public ToyModel {
 public:
  Listening() : ToyModel({.float64 = true}) {}
  mutable std::vector<Query> heard;
  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override {
    heard.insert(heard.end(), queries.begin(), queries.end());
    return ToyModel::target_logits(pixels, queries, targets);
  }
};

struct Templates : ::testing::Test {
  std::shared_ptr<Listening> model = std::make_shared<Listening>();
  Tensor image = toy_image().to(at::kDouble);

  Augmented augmented(const std::vector<ChatSetting>& settings, int64_t draws, const std::string& name = {}) {
    const auto templated = std::make_shared<TemplatedModel>(model, settings, 5);
    AugmentationConfig config{.names = {}, .templates = "file", .draws = draws};
    if (!name.empty()) config.names = {name};
    return Augmented(make_objective({}, {.models = {templated},
                                         .behavior = make_behavior({.name = "string", .target = "say yes"}),
                                         .contexts = toy_contexts(6),
                                         .origin = image}),
                     config, 5, {templated});
  }
  double loss(Augmented& objective, int64_t step) const { return objective.loss(image, step).item<double>(); }
  int64_t heard_with_setting() const {
    return std::count_if(model->heard.begin(), model->heard.end(),
                         [](const Query& q) { return !q.system.empty() || !q.earlier.empty(); });
  }
};

TEST_F(Templates, WhatAContextBringsStays) {
  const ChatSetting setting{"be brief", {{"hello", "hi"}}};
  const Query plain = within(setting, {.prompt = "what is it"});
  EXPECT_EQ(plain.prompt, "what is it");
  EXPECT_EQ(plain.system, "be brief");
  EXPECT_EQ(plain.earlier.at(0).assistant, "hi");
  const Query own = within(setting, {.prompt = "what is it", .system = "own", .earlier = {{"a", "b"}}});
  EXPECT_EQ(own.system, "own");
  EXPECT_EQ(own.earlier.at(0).user, "a");
}

TEST_F(Templates, DrawsAreAFunctionOfSeedAndStepAndDifferBetweenContexts) {
  Augmented one = augmented(kSettings, 1), same = augmented(kSettings, 1);
  std::set<double> values;
  for (int64_t step = 0; step < 6; ++step) {
    EXPECT_EQ(loss(one, step), loss(same, step)) << step;
    values.insert(loss(one, step));
  }
  EXPECT_GE(values.size(), 4u);
  EXPECT_EQ(loss(one, 2), loss(same, 2)) << "whatever came in between";
  model->heard.clear();
  loss(one, 0);
  ASSERT_EQ(model->heard.size(), 6u);
  EXPECT_GT(heard_with_setting(), 0);
  EXPECT_LT(heard_with_setting(), 6);
}

TEST_F(Templates, ManyDrawsAreAveraged) {
  Augmented four = augmented(kSettings, 4), one = augmented(kSettings, 1);
  double mean = 0;  // draw k of step s is draw 0 of step 4 s + k
  for (int64_t k = 0; k < 4; ++k) mean += loss(one, 12 + k) / 4;
  EXPECT_NEAR(loss(four, 3), mean, 1e-12);
  EXPECT_FALSE(four.deterministic());
}

TEST_F(Templates, GradientsMatchFiniteDifferencesWithImageAugmentations) {
  Augmented objective = augmented(kSettings, 2, "crop=0.7");
  EXPECT_LT(worst_gradient_error([&](const Tensor& x) { return objective.loss(x, 4); }, image), 1e-6);
}

TEST_F(Templates, PromptsDriftWithinThem) {
  const std::vector<Context> contexts = toy_contexts(3);
  const auto templated = std::make_shared<TemplatedModel>(model, kSettings, 5);
  const auto shifted = std::make_shared<ShiftedModel>(templated, contexts);
  Cropa objective(
      std::make_unique<Augmented>(
          make_objective({}, {.models = {shifted},
                              .behavior = make_behavior({.name = "string", .target = "say yes"}),
                              .contexts = contexts,
                              .origin = image}),
          AugmentationConfig{.names = {}, .templates = "file", .draws = 2}, 5, std::vector{templated}),
      {shifted}, {.radius = 1, .step = .1});
  const double before = evaluate(objective, image, 0, /*with_gradient=*/true).loss.item<double>();
  objective.after_step(image, 0);
  EXPECT_GT(objective.loss(image, 0).item<double>(), before);
  EXPECT_EQ(shifted->shifts.size(), 3u);
}

TEST_F(Templates, NoneAreRefused) {
  EXPECT_THROW(TemplatedModel(model, {}, 1), Error);
}

}  // namespace
}  // namespace hijack::templates_test
