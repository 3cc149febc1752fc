#include "attacks/optimizers/adam.h"

#include <ATen/ATen.h>

#include "attacks/optimizers/optimizer_state.h"

namespace hijack {
namespace {

constexpr double kBeta1 = 0.9;
constexpr double kBeta2 = 0.999;
constexpr double kMinDivisor = 1e-20;  // tiny: pixel gradients are small, Adam's usual 1e-8 would damp them

double default_step(const Constraint& constraint, const Tensor& origin) {
  if (std::holds_alternative<LinfBall>(constraint)) return radius(constraint) / 16;
  if (std::holds_alternative<L2Ball>(constraint))
    return radius(constraint) / 16 / std::sqrt(static_cast<double>(origin[0].numel()));
  return 1.0 / 255;
}

}  // namespace

Adam::Adam(const OptimizerConfig& config, const Constraint&) : step_size_(config.step_size) {}

Tensor Adam::next(const Evaluation& now, const Constraint& constraint, const Tensor& origin, int64_t step) {
  const at::NoGradGuard no_grad;
  const Tensor& gradient = now.gradient;
  if (!first_.defined()) {
    first_ = at::zeros_like(gradient);
    second_ = at::zeros_like(gradient);
  }
  first_ = kBeta1 * first_ + (1 - kBeta1) * gradient;
  second_ = kBeta2 * second_ + (1 - kBeta2) * gradient.square();
  const double count = static_cast<double>(step) + 1;
  const Tensor mean = first_ / (1 - std::pow(kBeta1, count));
  const Tensor deviation = (second_ / (1 - std::pow(kBeta2, count))).sqrt();
  const double size = step_size_ > 0 ? step_size_ : default_step(constraint, origin);
  return project(constraint, now.image - size * mean / (deviation + kMinDivisor), origin);
}

OptimizerState Adam::state() const {
  return saved({{"first", first_}, {"second", second_}});
}

void Adam::restore(const OptimizerState& state) {
  restore_into({{"first", &first_}, {"second", &second_}}, state);
}

}  // namespace hijack
