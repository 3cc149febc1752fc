#pragma once
#include "attacks/objective.h"
#include "attacks/optimizer.h"

namespace hijack {

/// Loss and gradient of one step. Throws Failure with the likely cause when the loss does not depend on the
/// image, when either is not finite, or when the gradient of step 0 is zero: the gradient canary.
/// Without `with_gradient` only the loss is measured (black boxes). gradients: of AttackHooks.
Evaluation evaluate(Objective& objective, const Tensor& image, int64_t step, bool with_gradient = true,
                    const GradientsOf& gradients = {});

}  // namespace hijack
