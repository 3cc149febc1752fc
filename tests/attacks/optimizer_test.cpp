#include "attacks/optimizer.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "src/base/error.h"
#include "tests/support/toy_model.h"

namespace hijack::optimizer_test {
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

/// A constraint that the optimizer takes, wide where it can be.
Constraint wide(const std::string& optimizer) {
  return optimizer == "apgd" || optimizer == "square" ? Constraint(LinfBall{0.25}) : Constraint(Box{});
}

TEST(Optimizer, InAnL2BallTheStepIsAShareOfTheRadiusAlongTheGradient) {
  const Tensor origin = at::full({1, 3, 16, 16}, 0.5);
  const Constraint ball = L2Ball{0.8};
  const Tensor gradient = some_gradient();
  for (const auto& [name, length] : {std::pair{"pgd", 0.1}, {"apgd", 0.8}, {"adam", 0.05}}) {
    const Tensor moved =
        make_optimizer({.name = name}, ball)->next({origin, at::ones({1}), gradient}, ball, origin, 0) -
        origin;
    EXPECT_NEAR(moved.norm().item<double>(), length, 1e-4) << name;
    const double cosine = -((moved * gradient).sum() / moved.norm() / gradient.norm()).item<double>();
    EXPECT_GT(cosine, name == std::string("adam") ? 0.7 : 0.99999) << name;
  }
  EXPECT_THROW(make_optimizer({.step_size = 2}, Box{}), Error);
  EXPECT_NO_THROW(make_optimizer({.step_size = 2}, ball));
}

TEST(Optimizer, PgdWithMomentumOneAndConstantStepIsMiFgsm) {
  const Tensor origin = at::full({1, 3, 16, 16}, 0.5);
  const Constraint ball = LinfBall{8.0 / 255};
  const double step = 8.0 / 255 / 10;  // epsilon / T
  const auto optimizer =
      make_optimizer({.steps = 10, .step_size = step, .momentum = 1, .final_step = 1}, ball);
  Random random(9);
  Tensor image = origin, sum = at::zeros_like(origin);
  for (int64_t t = 0; t < 10; ++t) {
    const Tensor gradient = random.normal_tensor(origin.sizes()) * std::pow(10.0, t % 4);
    const Tensor next = optimizer->next({image, at::ones({1}), gradient}, ball, origin, t);
    sum = sum + gradient / gradient.abs().sum();  // Dong et al. 2018, eq. 6
    EXPECT_TRUE(at::allclose(next, image - step * sum.sign(), 0, 1e-6)) << t;
    image = next;
  }
}

TEST(Optimizer, ApgdNeedsARadiusAndLossesThatCompare) {
  EXPECT_TRUE(make_optimizer({.name = "apgd"}, LinfBall{})->needs_deterministic_objective());
  EXPECT_FALSE(make_optimizer({}, LinfBall{})->needs_deterministic_objective());
  for (const Constraint& constraint : {Constraint(Box{}), Constraint(Patch{4, 0, 0}), Constraint(Border{2})})
    EXPECT_THROW(make_optimizer({.name = "apgd"}, constraint), Error);
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

TEST(Optimizer, CwaGoesAroundTheModelsAndStepsWhereTheyLed) {
  OptimizerConfig config{
      .name = "cwa", .step_size = 1.0 / 255, .momentum = 1, .cwa_inner = 1.0 / 255, .models = 2};
  const Constraint ball = LinfBall{8.0 / 255};
  const Tensor origin = toy_image();
  const auto cwa = make_optimizer(config, ball);
  const Tensor up = at::ones_like(origin);
  const auto step = [&](const Tensor& image, const Tensor& gradient, int64_t number) {
    return cwa->next({image, at::zeros({1}), gradient}, ball, origin, number);
  };
  const Tensor reversed = step(origin, up, 0);
  EXPECT_TRUE(at::allclose(reversed, origin + 1.0 / 255 / 3)) << "first up the mean loss";
  EXPECT_TRUE(at::equal(cwa->candidate(reversed), origin)) << "which nobody keeps";
  const Tensor first = step(reversed, up, 1);
  EXPECT_TRUE(at::allclose(first, reversed - 1.0 / 255)) << "then down each model's, all values alike";
  const Tensor end = step(first, up * 1e-6, 2);
  EXPECT_TRUE(at::allclose(end, origin - 1.0 / 255)) << "from where the cycle began along the way led";
  EXPECT_TRUE(at::equal(cwa->candidate(end), end));
}

TEST(Optimizer, ZeroGradientMovesNothing) {
  for (const std::string& name : optimizer_names())
    if (make_optimizer({.name = name}, wide(name))->uses_gradient()) {
      EXPECT_EQ(first_move({.name = name}, wide(name), at::zeros({1, 3, 16, 16})), 0) << name;
    }
}

TEST(Optimizer, TinyGradientsStillMoveSignSteps) {
  EXPECT_NEAR(first_move({}, Box{}, some_gradient() * 1e-15), 4, 1e-3);
  EXPECT_NEAR(first_move({.name = "adam"}, Box{}, some_gradient() * 1e-10), 1, 1e-3);
  const Tensor origin = at::full({1, 3, 16, 16}, 0.5);
  const Constraint ball = L2Ball{0.8};
  const Tensor next =
      make_optimizer({}, ball)->next({origin, at::ones({1}), some_gradient() * 1e-25}, ball, origin, 0);
  EXPECT_NEAR((next - origin).norm().item<double>(), 0.1, 1e-4);
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
        OptimizerConfig{.step_size = NAN}, OptimizerConfig{.momentum = 1.1},
        OptimizerConfig{.final_step = -1}, OptimizerConfig{.name = "apgd", .apgd_alpha = 0},
        OptimizerConfig{.name = "sgd", .clip_norm = 0}})
    EXPECT_THROW(make_optimizer(bad, LinfBall{}), Error);
}

}  // namespace
}  // namespace hijack::optimizer_test
