#pragma once
#include "attacks/optimizer.h"

namespace hijack {

/// Gradient descent on the pixels with the gradient clipped to an l2 norm, projected after each step: the
/// optimizer of Bailey et al. 2023 (their code: step 3e-2, norm 20). Has no state.
class Sgd : public Optimizer {
 public:
  Sgd(const OptimizerConfig& config, const Constraint& constraint);
  Tensor next(const Evaluation& now, const Constraint& constraint, const Tensor& origin,
              int64_t step) override;
  OptimizerState state() const override;
  void restore(const OptimizerState& state) override;

 private:
  double step_size_;
  double clip_norm_;
};

}  // namespace hijack
