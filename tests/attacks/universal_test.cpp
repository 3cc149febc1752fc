#include "attacks/wrappers/universal.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/attack.h"
#include "attacks/objectives/make_objective.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/finite_difference.h"
#include "tests/support/toy_model.h"

namespace hijack::universal_test {
namespace {

std::unique_ptr<Objective> inner(bool float64) {
  ObjectiveInputs inputs;
  inputs.models = {std::make_shared<ToyModel>(ToyOptions{.float64 = float64})};
  inputs.behavior = make_behavior({.name = "string", .target = "I was hijacked"});
  inputs.contexts = toy_contexts(6);
  inputs.origin = toy_image();
  return make_objective({}, inputs);
}

std::vector<Tensor> photos(bool float64 = false) {
  std::vector<Tensor> all;
  for (uint64_t seed = 1; seed < 4; ++seed)
    all.push_back(toy_image(seed).to(float64 ? at::kDouble : at::kFloat));
  return all;
}

TEST(Universal, AChangeIsAddedInBallsAndPutInPlaceWherePixelsAreFree) {
  const Tensor photo = toy_image(1);
  const Constraint ball = LinfBall{8.0 / 255};
  const Tensor carrier = carrier_for(ball, photo);
  EXPECT_TRUE(on_lattice(carrier));
  EXPECT_TRUE(at::equal(with_change(ball, carrier, carrier, photo), photo)) << "no change";
  Random random(3);
  const Tensor image = project_to_lattice(ball, random_point(ball, carrier, random), carrier);
  const Tensor changed = with_change(ball, image, carrier, photo);
  EXPECT_TRUE(measure_budget(ball, quantize(changed), photo).respected);
  EXPECT_TRUE(at::allclose(changed, quantize(changed), 0, 1e-6));
  const Constraint patch = Patch{5, 2, 3};
  const Tensor patched = with_change(patch, at::zeros_like(photo), carrier_for(patch, photo), photo);
  EXPECT_EQ(patched.eq(0).sum().item<int64_t>(), 3 * 25);
  EXPECT_TRUE(measure_budget(patch, patched, photo).respected);
}

TEST(Universal, GradientMatchesFiniteDifferencesAndCrossesTheEndsOfTheRange) {
  for (const Constraint& constraint : {Constraint(LinfBall{8.0 / 255}), Constraint(Border{3})}) {
    const Tensor carrier = carrier_for(constraint, photos(true)[0]);
    UniversalObjective objective(inner(true), constraint, carrier, photos(true), 0, 1);
    EXPECT_TRUE(objective.deterministic());
    const auto loss = [&](const Tensor& image) { return objective.loss(image, 0); };
    EXPECT_LT(worst_gradient_error(loss, carrier.clone()), 1e-6);
  }
  const Tensor white = at::ones({1, 3, 16, 16});
  const Tensor image = at::full_like(white, .6).requires_grad_(true);
  const Tensor sum = with_change(LinfBall{1}, image, at::full_like(white, .5), white);
  EXPECT_EQ(sum.max().item<double>(), 1);
  sum.sum().backward();
  EXPECT_EQ(image.grad().min().item<double>(), 1) << "a pixel at the end can come back";
}

TEST(Universal, OneChangeWorksOnPhotosItNeverSaw) {
  const Constraint constraint = LinfBall{100.0 / 255};
  const Tensor carrier = carrier_for(constraint, photos()[0]);
  UniversalObjective objective(inner(false), constraint, carrier, photos(), 2, 1);
  EXPECT_FALSE(objective.deterministic()) << "photos are drawn";
  const auto optimizer = make_optimizer({.steps = 60}, constraint);
  AttackState state = start_attack(constraint, carrier, false, 1);
  run_attack(state, objective, *optimizer, constraint, carrier, {.steps = 60});
  const ToyModel model;
  const auto behavior = make_behavior({.name = "string", .target = "I was hijacked"});
  for (const uint64_t seed : {1, 2, 3, 50}) {
    const Tensor shown = with_change(constraint, state.best_image, carrier, toy_image(seed));
    const auto contexts = toy_contexts(6);
    const auto replies = model.generate(model.preprocess(shown), contexts, {});
    for (size_t i = 0; i < contexts.size(); ++i)
      EXPECT_TRUE(behavior->succeeded(contexts[i], replies[i])) << seed << " " << replies[i].text;
  }
}

TEST(Universal, AMovingPatchIsRefused) {
  EXPECT_THROW(UniversalObjective(inner(false), MovingPatch{5, 0, 0}, toy_image(), photos(), 0, 1), Error);
}

}  // namespace
}  // namespace hijack::universal_test
