#include "attacks/optimizers/pgd.h"

#include <ATen/ATen.h>

#include "attacks/optimizers/direction.h"
#include "attacks/optimizers/optimizer_state.h"

namespace hijack {
namespace {

double default_step(const Constraint& constraint) {
  if (std::holds_alternative<LinfBall>(constraint))
    return std::max(std::min(radius(constraint) / 8, 2.0 / 255), 0.25 / 255);
  if (std::holds_alternative<L2Ball>(constraint)) return radius(constraint) / 8;
  return 4.0 / 255;
}

}  // namespace

Pgd::Pgd(const OptimizerConfig& config, const Constraint& constraint)
    : step_size_(config.step_size > 0 ? config.step_size : default_step(constraint)),
      momentum_(config.momentum),
      final_share_(config.final_step),
      steps_(config.steps) {}

Tensor Pgd::next(const Evaluation& now, const Constraint& constraint, const Tensor& origin, int64_t step) {
  const at::NoGradGuard no_grad;
  // A gradient of zeros (a loss that is already 0) must not become NaN.
  const Tensor norm = now.gradient.abs().sum({1, 2, 3}, true).clamp_min(std::numeric_limits<float>::min());
  const Tensor direction = now.gradient / norm;
  accumulated_ = accumulated_.defined() ? momentum_ * accumulated_ + direction : direction;
  const double done =
      std::min(1.0, static_cast<double>(step) / static_cast<double>(std::max<int64_t>(1, steps_ - 1)));
  const double size = step_size_ * (1 - (1 - final_share_) * done);
  return project(constraint, now.image - size * steepest(constraint, accumulated_), origin);
}

OptimizerState Pgd::state() const {
  return saved({{"accumulated", accumulated_}});
}

void Pgd::restore(const OptimizerState& state) {
  restore_into({{"accumulated", &accumulated_}}, state);
}

}  // namespace hijack
