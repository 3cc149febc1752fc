#include "attacks/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "src/base/error.h"
#include "tests/support/toy_model.h"

namespace hijack {
namespace {

/// The largest move of one step from the origin, in 1/255.
double first_move(const OptimizerConfig& config, const Constraint& constraint, const Tensor& gradient,
                  int64_t step = 0) {
  const Tensor origin = at::full({1, 3, 16, 16}, 0.5);
  const auto optimizer = make_optimizer(config, constraint);
  const Tensor next = optimizer->next({origin, at::ones({1}), gradient}, constraint, origin, step);
  return (next - origin).abs().max().item<double>() * 255;
}

Tensor some_gradient() {
  return Random(4).normal_tensor({1, 3, 16, 16}) * 1e-3;
}

TEST(Optimizer, DefaultStepsFitTheConstraint) {
  const auto ball = [](double epsilon) { return Constraint(LinfBall{epsilon / 255}); };
  EXPECT_NEAR(first_move({}, ball(8), some_gradient()), 1, 1e-3);
  EXPECT_NEAR(first_move({}, ball(32), some_gradient()), 2, 1e-3);    // at most 2/255
  EXPECT_NEAR(first_move({}, ball(1), some_gradient()), 0.25, 1e-3);  // at least .25/255
  EXPECT_NEAR(first_move({}, Box{}, some_gradient()), 4, 1e-3);
  EXPECT_NEAR(first_move({.step_size = 0.02}, ball(8), some_gradient()), 5.1, 1e-3);
  EXPECT_NEAR(first_move({.name = "adam"}, ball(8), some_gradient()), 0.5, 1e-3);
  EXPECT_NEAR(first_move({.name = "adam"}, Box{}, some_gradient()), 1, 1e-3);
}

TEST(Optimizer, PgdStepDecaysToATenth) {
  const OptimizerConfig config{.steps = 101, .step_size = 10.0 / 255};
  EXPECT_NEAR(first_move(config, Box{}, some_gradient(), 0), 10, 1e-3);
  EXPECT_NEAR(first_move(config, Box{}, some_gradient(), 50), 5.5, 1e-3);
  EXPECT_NEAR(first_move(config, Box{}, some_gradient(), 100), 1, 1e-3);
  EXPECT_NEAR(first_move(config, Box{}, some_gradient(), 1000), 1, 1e-3);
}

TEST(Optimizer, PgdAccumulatesNormalizedGradients) {
  const Tensor origin = at::full({1, 3, 16, 16}, 0.5);
  const Constraint constraint = Box{};
  const Tensor up = at::ones_like(origin);
  for (const double momentum : {0.9, 0.0}) {
    const auto optimizer = make_optimizer({.momentum = momentum}, constraint);
    optimizer->next({origin, at::ones({1}), up}, constraint, origin, 0);
    // A gradient a million times smaller counts as much: m = .9 * up - .5 * up still points up.
    const Tensor mixed =
        -1e-6 * at::cat({up.slice(2, 0, 8), 3 * up.slice(2, 8)}, 2);  // shares 1/4 and 3/4 of |g|_1
    const Tensor next = optimizer->next({origin, at::ones({1}), mixed}, constraint, origin, 1);
    const double above = (next - origin).slice(2, 0, 8).max().item<double>();
    const double below = (next - origin).slice(2, 8).max().item<double>();
    EXPECT_TRUE(momentum > 0 ? above < 0 : above > 0) << momentum;  // .9 - .5 > 0: descend
    EXPECT_GT(below, 0) << momentum;                                // .9 - 1.5 < 0: ascend
  }
}

TEST(Optimizer, ZeroGradientMovesNothing) {
  for (const std::string& name : optimizer_names())
    EXPECT_EQ(first_move({.name = name}, Box{}, at::zeros({1, 3, 16, 16})), 0) << name;
}

TEST(Optimizer, TinyGradientsStillMoveSignSteps) {
  EXPECT_NEAR(first_move({}, Box{}, some_gradient() * 1e-15), 4, 1e-3);
  EXPECT_NEAR(first_move({.name = "adam"}, Box{}, some_gradient() * 1e-10), 1, 1e-3);
}

TEST(Optimizer, SgdFollowsTheGradientAndClipsItsNorm) {
  const Tensor direction = some_gradient() / some_gradient().norm();
  const double largest = direction.abs().max().item<double>() * 255;
  EXPECT_NEAR(first_move({.name = "sgd"}, Box{}, direction), 3e-2 * largest, 1e-3);
  EXPECT_NEAR(first_move({.name = "sgd"}, Box{}, direction * 20), 3e-2 * 20 * largest, 2e-3);
  EXPECT_NEAR(first_move({.name = "sgd"}, Box{}, direction * 1e6), 3e-2 * 20 * largest, 2e-3);
  EXPECT_NEAR(first_move({.name = "sgd", .clip_norm = 1}, Box{}, direction * 1e6), 3e-2 * largest, 1e-3);
}

TEST(Optimizer, ImagesOfABatchDoNotInfluenceEachOther) {
  const Tensor origin = at::full({2, 3, 16, 16}, 0.5);
  const Tensor gradient = at::cat({some_gradient(), some_gradient() * 1e6});
  const Constraint constraint = LinfBall{8.0 / 255};
  for (const std::string& name : optimizer_names()) {
    const Tensor both = make_optimizer({.name = name}, constraint)
                            ->next({origin, at::ones({2}), gradient}, constraint, origin, 0);
    for (int64_t n = 0; n < 2; ++n) {
      const auto part = [&](const Tensor& all) { return all.narrow(0, n, 1); };
      const Tensor alone =
          make_optimizer({.name = name}, constraint)
              ->next({part(origin), at::ones({1}), part(gradient)}, constraint, part(origin), 0);
      EXPECT_TRUE(at::allclose(part(both), alone, 1e-6, 1e-7)) << name;
    }
  }
}

TEST(Optimizer, BadConfigsAreRefused) {
  for (const OptimizerConfig& bad :
       {OptimizerConfig{.name = "pdg"}, OptimizerConfig{.steps = 0}, OptimizerConfig{.step_size = -1},
        OptimizerConfig{.step_size = NAN}, OptimizerConfig{.momentum = 1},
        OptimizerConfig{.name = "sgd", .clip_norm = 0}})
    EXPECT_THROW(make_optimizer(bad, Box{}), Error);
}

}  // namespace
}  // namespace hijack
