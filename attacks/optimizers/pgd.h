#pragma once
#include "attacks/optimizer.h"

namespace hijack {

/// Sign steps along an accumulated gradient (MI-FGSM, Dong et al. 2018; plain sign-PGD with momentum 0):
/// m = momentum * m + g / |g|_1, x = project(x - step * sign(m)), in an l2 ball x - step * m / |m|_2. The
/// step decays linearly to `final_step` of its first value over config.steps; MI-FGSM as published has
/// momentum 1, final_step 1 and step_size epsilon/steps. Default step: min(epsilon/8, 2/255) but at least
/// .25/255 in an l_inf ball, radius/8 in an l2 ball, else 4/255.
class Pgd : public Optimizer {
 public:
  Pgd(const OptimizerConfig& config, const Constraint& constraint);
  Tensor next(const Evaluation& now, const Constraint& constraint, const Tensor& origin,
              int64_t step) override;
  OptimizerState state() const override;
  void restore(const OptimizerState& state) override;

 private:
  double step_size_;
  double momentum_;
  double final_share_;
  int64_t steps_;
  Tensor accumulated_;  ///< like the image; undefined before the first step
};

}  // namespace hijack
