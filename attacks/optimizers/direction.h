#pragma once
#include "attacks/constraint.h"

namespace hijack {

/// The direction in which a loss grows fastest per unit of the constraint's norm: the sign of the gradient,
/// or in an l2 ball the gradient divided by its l2 norm (per image). Zero where the gradient is. [N,3,H,W]
Tensor steepest(const Constraint& constraint, const Tensor& gradient);

}  // namespace hijack
