#include "attacks/optimizers/direction.h"

#include <ATen/ATen.h>

#include "attacks/constraints/balls.h"

namespace hijack {

Tensor steepest(const Constraint& constraint, const Tensor& gradient) {
  if (!std::holds_alternative<L2Ball>(constraint)) return gradient.sign();
  // In float64: the squares of tiny gradients underflow in float32.
  const Tensor norm = l2_norms(gradient).clamp_min(std::numeric_limits<double>::min());
  return (gradient.to(at::kDouble) / norm).to(gradient.scalar_type());
}

}  // namespace hijack
