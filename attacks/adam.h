#pragma once
#include "attacks/optimizer.h"

namespace hijack {

/// Adam on the pixels (Kingma & Ba 2015; betas .9 and .999), projected after each step. Default step:
/// epsilon/16 in a ball, else 1/255.
class Adam : public Optimizer {
 public:
  Adam(const OptimizerConfig& config, const Constraint& constraint);
  Tensor next(const Evaluation& now, const Constraint& constraint, const Tensor& origin,
              int64_t step) override;
  OptimizerState state() const override;
  void restore(const OptimizerState& state) override;

 private:
  double step_size_;
  Tensor first_;   ///< running mean of the gradient; undefined before the first step
  Tensor second_;  ///< running mean of its square
};

}  // namespace hijack
