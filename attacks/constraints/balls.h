#pragma once
#include "attacks/constraint.h"

// The balls, one overload each; attacks/constraints/constraint.cpp dispatches. Images [N,3,H,W].

namespace hijack {

Tensor project_onto(const LinfBall& ball, const Tensor& image, const Tensor& origin);
Tensor lattice_onto(const LinfBall& ball, const Tensor& image, const Tensor& origin);
Tensor point_in(const LinfBall& ball, const Tensor& origin, Random& random);
Tensor noise_in(const LinfBall& ball, const Tensor& origin, Random& random);

Tensor project_onto(const L2Ball& ball, const Tensor& image, const Tensor& origin);
Tensor lattice_onto(const L2Ball& ball, const Tensor& image, const Tensor& origin);
Tensor point_in(const L2Ball& ball, const Tensor& origin, Random& random);
Tensor noise_in(const L2Ball& ball, const Tensor& origin, Random& random);

/// [N,1,1,1] float64: Euclidean norm per image.
Tensor l2_norms(const Tensor& difference);

}  // namespace hijack
