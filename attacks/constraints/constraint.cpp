#include "attacks/constraint.h"

#include <ATen/ATen.h>

#include "attacks/constraints/balls.h"
#include "attacks/constraints/lattice.h"
#include "attacks/constraints/regions.h"
#include "src/base/error.h"

namespace hijack {
namespace {

// What is no ball is a region: project and round as in a box, and only where pixels are free.

template <class Region>
Tensor project_onto(const Region& region, const Tensor& image, const Tensor& origin) {
  return at::where(free_pixels(region, origin), image.clamp(0, 1), origin);
}
template <class Region>
Tensor lattice_onto(const Region& region, const Tensor& image, const Tensor& origin) {
  return at::where(free_pixels(region, origin), from_levels(levels(image)), origin);
}
template <class Region>
Tensor point_in(const Region& region, const Tensor& origin, Random& random) {
  return project_onto(region, uniform_like(origin, random), origin);
}
template <class Region>
Tensor noise_in(const Region& region, const Tensor& origin, Random& random) {
  return lattice_onto(region, uniform_like(origin, random), origin);
}

/// Number of pixels changed where the constraint allows none. changed [N,1,H,W] bool.
double changed_outside(const LinfBall&, const Tensor&) {
  return 0;
}
double changed_outside(const L2Ball&, const Tensor&) {
  return 0;
}
/// The patch may be anywhere: all but the square that holds the most changes.
double changed_outside(const MovingPatch& patch, const Tensor& changed) {
  const Tensor numbers = changed.to(at::kFloat);
  const Tensor in_square = at::avg_pool2d(numbers, {patch.size, patch.size}, {1, 1}, {0, 0}, false, true,
                                          /*divisor_override=*/1);
  return (numbers.sum({1, 2, 3}) - in_square.amax({1, 2, 3})).sum().item<double>();
}
template <class Region>
double changed_outside(const Region& region, const Tensor& changed) {
  const Tensor fixed = free_pixels(region, changed).logical_not();
  return static_cast<double>(changed.logical_and(fixed).sum().item<int64_t>());
}

bool within(const LinfBall& ball, const Budget& budget) {
  constexpr double kTolerance = 1e-3;  // steps of 1/255: far above rounding in float32, far below one step
  return budget.max_difference_255 <= ball.epsilon * kLevels + kTolerance;
}
bool within(const L2Ball& ball, const Budget& budget) {
  return budget.l2 <= ball.radius + 1e-5 * (ball.radius + 0.1);  // rounding of the pixels to float32
}
template <class Region>
bool within(const Region&, const Budget& budget) {
  return budget.changed_outside == 0;
}

std::string describe_one(const LinfBall& ball) {
  return "linf " + short_number(ball.epsilon * kLevels) + "/255";
}
std::string describe_one(const L2Ball& ball) {
  return "l2 " + short_number(ball.radius);
}
template <class Region>
std::string describe_one(const Region& region) {
  return describe_region(region);
}

}  // namespace

Tensor project(const Constraint& constraint, const Tensor& image, const Tensor& origin) {
  const at::NoGradGuard no_grad;
  return std::visit([&](const auto& one) { return project_onto(one, image, origin); }, constraint);
}

Tensor project_to_lattice(const Constraint& constraint, const Tensor& image, const Tensor& origin) {
  const at::NoGradGuard no_grad;
  return std::visit([&](const auto& one) { return lattice_onto(one, image, origin); }, constraint);
}

Tensor random_point(const Constraint& constraint, const Tensor& origin, Random& random) {
  const at::NoGradGuard no_grad;
  return std::visit([&](const auto& one) { return point_in(one, origin, random); }, constraint);
}

Tensor random_noise(const Constraint& constraint, const Tensor& origin, Random& random) {
  const at::NoGradGuard no_grad;
  return std::visit([&](const auto& one) { return noise_in(one, origin, random); }, constraint);
}

Budget measure_budget(const Constraint& constraint, const Tensor& image, const Tensor& origin) {
  const at::NoGradGuard no_grad;
  if (image.sizes() != origin.sizes())
    throw Error(
        "the image and its origin have different sizes, so the budget cannot be measured: use the origin "
        "that was saved beside the image.");
  constexpr double kTolerance = 1e-3;  // as above
  const Tensor values = image.to(at::kDouble);
  const Tensor difference = values - origin.to(at::kDouble);
  const Tensor steps = difference.abs() * kLevels;
  const bool in_range = values.ge(0).logical_and(values.le(1)).all().item<bool>();  // false for NaN, too
  const Tensor changed = steps.gt(kTolerance).any(1, /*keepdim=*/true);             // [N,1,H,W]

  Budget budget;
  // float32 holds k/255 only to about 1e-5 of a step: a lattice image shall read 8, not 8.00001
  budget.max_difference_255 = std::round(steps.max().item<double>() * 1e4) / 1e4;
  budget.l2 = l2_norms(difference).max().item<double>();
  budget.changed_outside =
      std::visit([&](const auto& one) { return changed_outside(one, changed); }, constraint);
  budget.respected = in_range && std::visit([&](const auto& one) { return within(one, budget); }, constraint);
  return budget;
}

double radius(const Constraint& constraint) {
  if (const auto* ball = std::get_if<LinfBall>(&constraint)) return ball->epsilon;
  if (const auto* ball = std::get_if<L2Ball>(&constraint)) return ball->radius;
  return 1;
}

std::string describe(const Constraint& constraint) {
  return std::visit([](const auto& one) { return describe_one(one); }, constraint) + " (model input space)";
}

}  // namespace hijack
