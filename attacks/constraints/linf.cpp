#include <ATen/ATen.h>

#include "attacks/constraints/balls.h"
#include "attacks/constraints/lattice.h"

namespace hijack {
namespace {

/// Whole lattice steps that fit into epsilon; 8/255 as a double must give exactly 8.
double lattice_steps(const LinfBall& ball) {
  return std::floor(ball.epsilon * kLevels + 1e-6);
}

}  // namespace

Tensor project_onto(const LinfBall& ball, const Tensor& image, const Tensor& origin) {
  const Tensor low = (origin - ball.epsilon).clamp_min(0);
  const Tensor high = (origin + ball.epsilon).clamp_max(1);
  return at::minimum(at::maximum(image, low), high);
}

Tensor lattice_onto(const LinfBall& ball, const Tensor& image, const Tensor& origin) {
  const double steps = lattice_steps(ball);
  const Tensor center = levels(origin);
  return from_levels(at::minimum(at::maximum(levels(image), center - steps), center + steps));
}

Tensor point_in(const LinfBall& ball, const Tensor& origin, Random& random) {
  const Tensor low = (origin - ball.epsilon).clamp_min(0);
  const Tensor high = (origin + ball.epsilon).clamp_max(1);
  return low + uniform_like(origin, random) * (high - low);
}

Tensor noise_in(const LinfBall& ball, const Tensor& origin, Random& random) {
  const Tensor signs = (uniform_like(origin, random) < 0.5).to(origin.options()) * 2 - 1;
  return from_levels((levels(origin) + signs * lattice_steps(ball)).clamp(0, kLevels));
}

}  // namespace hijack
