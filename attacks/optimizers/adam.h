#pragma once
#include "attacks/optimizer.h"

namespace hijack {

/// Adam on the pixels (Kingma & Ba 2015; betas .9 and .999), projected after each step. Default step:
/// epsilon/16 in an l_inf ball, else 1/255; in an l2 ball of radius r over n values r/16/sqrt(n), so that one
/// step is about r/16 long.
class Adam : public Optimizer {
 public:
  Adam(const OptimizerConfig& config, const Constraint& constraint);
  Tensor next(const Evaluation& now, const Constraint& constraint, const Tensor& origin,
              int64_t step) override;
  OptimizerState state() const override;
  void restore(const OptimizerState& state) override;

 private:
  double step_size_;  ///< 0 = the default, which depends on the image's size
  Tensor first_;      ///< running mean of the gradient; undefined before the first step
  Tensor second_;     ///< running mean of its square
};

}  // namespace hijack
