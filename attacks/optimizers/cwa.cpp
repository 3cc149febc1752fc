#include "attacks/optimizers/cwa.h"

#include <ATen/ATen.h>

#include <cmath>

#include "attacks/constraints/balls.h"
#include "attacks/optimizers/direction.h"
#include "attacks/optimizers/optimizer_state.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr double kReverse = 1.0 / 3;  // of step_size: epsilon/15 and epsilon/5 as published
const double kPublishedInner = 250 / std::sqrt(3.0 * 224 * 224);

double fifth_of_radius(const Constraint& constraint) {
  if (std::holds_alternative<LinfBall>(constraint)) return radius(constraint) / 5;
  if (std::holds_alternative<L2Ball>(constraint)) return radius(constraint) / 8;
  return 1.0 / 255;
}

double default_inner(const Constraint& constraint, double step_size) {
  return std::holds_alternative<LinfBall>(constraint) ? kPublishedInner : step_size;
}

/// Divided by its l2 norm per image, or by its l1 norm; zero where it is zero.
Tensor over_l2(const Tensor& gradient) {
  const Tensor norm = l2_norms(gradient).clamp_min(std::numeric_limits<double>::min());
  return (gradient.to(at::kDouble) / norm).to(gradient.scalar_type());
}
Tensor over_l1(const Tensor& way) {
  const Tensor wide = way.to(at::kDouble);
  const Tensor norm = wide.abs().sum({1, 2, 3}, true).clamp_min(std::numeric_limits<double>::min());
  return (wide / norm).to(way.scalar_type());
}

/// The l2 length of a step of `size` at every value; in an l2 ball a step is a length already.
double inner_length(const Constraint& constraint, double size, const Tensor& image) {
  return std::holds_alternative<L2Ball>(constraint) ? size
                                                    : size * std::sqrt(static_cast<double>(image[0].numel()));
}

}  // namespace

Cwa::Cwa(const OptimizerConfig& config, const Constraint& constraint)
    : step_size_(config.step_size > 0 ? config.step_size : fifth_of_radius(constraint)),
      inner_size_(config.cwa_inner > 0 ? config.cwa_inner : default_inner(constraint, step_size_)),
      momentum_(config.momentum),
      models_(std::max<int64_t>(1, config.models)) {
  if (std::holds_alternative<MovingPatch>(constraint))
    throw Error(
        "optimizer cwa shows one image to all models of a cycle, but constraint moving_patch puts the patch "
        "elsewhere at each step: use optimizer pgd, adam or sgd.");
}

Tensor Cwa::next(const Evaluation& now, const Constraint& constraint, const Tensor& origin, int64_t step) {
  const at::NoGradGuard no_grad;
  const int64_t turn = step % (models_ + 1);
  if (turn == 0) {
    outer_ = now.image;
    if (!inner_.defined()) inner_ = at::zeros_like(now.image);
    if (!accumulated_.defined()) accumulated_ = at::zeros_like(now.image);
    return project(constraint, now.image + kReverse * step_size_ * steepest(constraint, now.gradient),
                   origin);
  }
  inner_ = momentum_ * inner_ + over_l2(now.gradient);
  const double length = inner_length(constraint, inner_size_, now.image);
  const Tensor led = project(constraint, now.image - length * inner_, origin);
  if (turn < models_) return led;
  accumulated_ = momentum_ * accumulated_ + over_l1(led - outer_);
  outer_ = project(constraint, outer_ + step_size_ * steepest(constraint, accumulated_), origin);
  return outer_;
}

OptimizerState Cwa::state() const {
  return saved({{"outer", outer_}, {"inner", inner_}, {"accumulated", accumulated_}});
}

void Cwa::restore(const OptimizerState& state) {
  restore_into({{"outer", &outer_}, {"inner", &inner_}, {"accumulated", &accumulated_}}, state);
}

}  // namespace hijack
