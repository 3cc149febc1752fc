// CroPA and GCG against references written from the papers, step for step (tests/golden/{cropa,gcg}/make.py).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/loop/evaluate.h"
#include "attacks/objectives/make_objective.h"
#include "attacks/optimizers/pgd.h"
#include "attacks/text/gcg.h"
#include "attacks/wrappers/cropa.h"
#include "tests/support/golden_attack.h"

namespace hijack::prompts_golden_test {
namespace {

constexpr double kEpsilon = 0.2, kStep = 0.02;  // of CroPA's reference

void compare_cropa(const std::string& name) {
  const TensorMap golden = load_golden("cropa");
  const auto model = std::make_shared<GoldenModel>(golden);
  std::vector<Context> contexts;
  for (const char* number : {"0", "1", "2"})
    contexts.push_back({.prompt = model->text(golden.at(std::string("prompt.") + number))});
  const Tensor origin = golden.at("origin"), points = golden.at(name + ".points");
  const auto numbers = golden_numbers(golden, name + ".numbers");
  const auto shifted = std::make_shared<ShiftedModel>(model, contexts);
  const std::string target = model->text(golden.at("target"));
  Cropa objective(make_objective({}, {.models = {shifted},
                                      .behavior = make_behavior({.name = "string", .target = target}),
                                      .contexts = contexts,
                                      .origin = origin}),
                  {shifted},
                  {.radius = numbers[0],
                   .step = numbers[1],
                   .every = static_cast<int64_t>(numbers[2]),
                   .norm = name == "l2" ? "l2" : "linf"});
  const Constraint ball = LinfBall{kEpsilon};
  Pgd pgd({.steps = points.size(0), .step_size = kStep, .momentum = 0, .final_step = 1}, ball);
  Tensor image = origin;
  for (int64_t k = 0; k < points.size(0); ++k) {
    const int64_t before = model->passes;
    const Evaluation now = evaluate(objective, image, k, true);
    ASSERT_NEAR(now.loss.item<double>(), golden.at(name + ".losses")[k].item<double>(), 1e-9) << k;
    image = pgd.next(now, ball, origin, k);
    objective.after_step(now.image, k);
    ASSERT_LT(difference(image, points[k]), 1e-12) << k;
    EXPECT_EQ(model->passes - before, 1) << "one pass gives the gradients to image and prompts";
  }
  for (size_t i = 0; i < contexts.size(); ++i)
    EXPECT_LT(difference(shifted->shifts.at(i), golden.at(name + ".change." + std::to_string(i))), 1e-9) << i;
}

TEST(CropaGolden, SignSteps) {
  compare_cropa("linf");
}
TEST(CropaGolden, EveryThirdStep) {
  compare_cropa("every");
}
TEST(CropaGolden, NormalizedSteps) {
  compare_cropa("l2");
}

TEST(GcgFormula, RanksDrawsAndGoesOnFromTheBestCandidate) {
  const TensorMap golden = load_golden("gcg");
  const GoldenModel model(golden);
  std::vector<Context> contexts;
  for (const char* name : {"prompt.0", "prompt.1"})
    contexts.push_back({.prompt = model.text(golden.at(name))});
  const auto behavior = make_behavior({.name = "string", .target = model.text(golden.at("target"))});
  const auto numbers = golden_numbers(golden, "numbers");
  const auto number = [&](size_t i) { return static_cast<int64_t>(numbers[i]); };
  const GcgConfig config{
      .tokens = number(0), .steps = number(1), .candidates = number(2), .top_k = number(3), .contexts = 0};
  GcgHooks hooks;
  hooks.note = [](const std::string& text) { ADD_FAILURE() << text; };
  const GcgResult result = gcg_suffix(model, golden.at("image"), contexts, *behavior, config,
                                      static_cast<uint64_t>(number(4)), hooks);
  const auto losses = golden_numbers(golden, "losses");  // of the start, then of each step
  ASSERT_EQ(result.losses.size(), losses.size() - 1);
  for (size_t i = 0; i < result.losses.size(); ++i) EXPECT_NEAR(result.losses[i], losses[i + 1], 1e-9) << i;
  const auto best = std::min_element(losses.begin(), losses.end());
  EXPECT_NEAR(result.loss, *best, 1e-9);
  EXPECT_EQ(result.suffix, model.text(golden.at("suffixes")[best - losses.begin()].contiguous()));
}

}  // namespace
}  // namespace hijack::prompts_golden_test
