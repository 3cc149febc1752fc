#include "attacks/optimizers/sgd.h"

#include <ATen/ATen.h>

#include "attacks/optimizers/optimizer_state.h"

namespace hijack {
namespace {
constexpr double kDefaultStep = 3e-2;
}

Sgd::Sgd(const OptimizerConfig& config, const Constraint&)
    : step_size_(config.step_size > 0 ? config.step_size : kDefaultStep), clip_norm_(config.clip_norm) {}

Tensor Sgd::next(const Evaluation& now, const Constraint& constraint, const Tensor& origin, int64_t) {
  const at::NoGradGuard no_grad;
  const Tensor norm = now.gradient.square().sum({1, 2, 3}, true).sqrt();
  const Tensor scale = (clip_norm_ / norm.clamp_min(1e-12)).clamp_max(1);
  return project(constraint, now.image - step_size_ * scale * now.gradient, origin);
}

OptimizerState Sgd::state() const {
  return {};
}

void Sgd::restore(const OptimizerState& state) {
  restore_into({}, state);
}

}  // namespace hijack
