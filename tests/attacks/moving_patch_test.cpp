#include "attacks/wrappers/moving_patch.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/objectives/behavior_matching.h"
#include "src/base/image.h"
#include "tests/support/finite_difference.h"
#include "tests/support/toy_attack.h"

namespace hijack::moving_patch_test {
namespace {

constexpr MovingPatch kPatch{5, 2, 9};
constexpr Location kHome{2, 9};

Tensor patched(const Tensor& origin) {
  Random random(1);
  return project_to_lattice(kPatch, random.uniform_tensor(origin.sizes(), 0, 1), origin);
}

TEST(MovingPatch, MovesTheContentAndRestoresTheOriginBehindIt) {
  const Tensor origin = toy_image();
  const Tensor image = patched(origin);
  for (const Location to : {Location{0, 0}, Location{11, 11}, Location{4, 7}, kHome}) {
    const Tensor moved = move_patch(kPatch, image, kHome, to, origin);
    EXPECT_TRUE(on_lattice(moved));
    EXPECT_TRUE(
        at::equal(moved.narrow(2, to.top, 5).narrow(3, to.left, 5), image.narrow(2, 2, 5).narrow(3, 9, 5)));
    Tensor rest = moved.clone();
    rest.narrow(2, to.top, 5).narrow(3, to.left, 5).copy_(origin.narrow(2, to.top, 5).narrow(3, to.left, 5));
    EXPECT_TRUE(at::equal(rest, origin));
    EXPECT_TRUE(at::equal(move_patch(kPatch, moved, to, kHome, origin), image));
  }
}

TEST(MovingPatch, BudgetIsOneSquareAnywhere) {
  const Tensor origin = toy_image();
  Tensor image = move_patch(kPatch, patched(origin), kHome, {11, 3}, origin);
  EXPECT_TRUE(measure_budget(kPatch, image, origin).respected);
  image[0][0][0][0] = 1 - image[0][0][0][0];
  const Budget outside = measure_budget(kPatch, image, origin);
  EXPECT_EQ(outside.changed_outside, 1);
  EXPECT_FALSE(outside.respected);
}

TEST(MovingPatch, PlacesAreInsideSeededAndDifferFromStepToStep) {
  const Tensor image = toy_image();
  std::set<std::pair<int64_t, int64_t>> seen;
  for (int64_t step = 0; step < 1000; ++step) {
    const Location at = draw_location(kPatch, image, 3, "place of a step", step);
    EXPECT_TRUE(at.top >= 0 && at.top <= 11 && at.left >= 0 && at.left <= 11);
    const Location same = draw_location(kPatch, image, 3, "place of a step", step);
    EXPECT_TRUE(same.top == at.top && same.left == at.left);
    seen.insert({at.top, at.left});
  }
  EXPECT_EQ(seen.size(), 144u) << "every place is drawn";
  const MovingPatch full{16, 0, 0};
  EXPECT_EQ(draw_location(full, image, 3, "place of a step", 9).top, 0);
}

TEST(MovingPatch, GradientReachesThePatchOnlyAndMatchesFiniteDifferences) {
  const auto model = std::make_shared<ToyModel>(ToyOptions{.float64 = true});
  const std::shared_ptr<const Behavior> behavior =
      make_behavior({.name = "string", .target = "I was hijacked"});
  const Tensor origin = toy_image().to(at::kDouble);
  MovingPatchObjective objective(std::make_unique<BehaviorMatching>(model, behavior, toy_contexts(3), 0, 1),
                                 kPatch, origin, 4);
  EXPECT_FALSE(objective.deterministic());
  const Tensor image = patched(toy_image()).to(at::kDouble);
  const auto loss = [&](const Tensor& point) { return objective.loss(point, 3); };
  EXPECT_LT(worst_gradient_error(loss, image, {.coordinates = 200}), 1e-6);

  const Tensor leaf = image.clone().requires_grad_(true);
  objective.loss(leaf, 3).sum().backward();
  const Tensor reached = leaf.grad().ne(0).any(1)[0];
  EXPECT_EQ(reached.sum().item<int64_t>(), 25);
  EXPECT_EQ(reached.narrow(0, 2, 5).narrow(1, 9, 5).sum().item<int64_t>(), 25);
  EXPECT_NE(loss(image).item<double>(), objective.loss(image, 4).item<double>());
}

TEST(MovingPatch, WorksAtPlacesItWasNotTrainedOn) {
  ToyAttack attack({.constraint = {.name = "moving_patch", .patch_size = 12}, .batch = 0, .steps = 150});
  AttackState state = attack.start();
  attack.hooks = {};
  attack.run(state);
  EXPECT_LT(attack.full_loss(state.image), 0.7 * attack.full_loss(attack.origin));
}

}  // namespace
}  // namespace hijack::moving_patch_test
