#pragma once
#include "attacks/optimizer.h"

namespace hijack {

/// Square attack (Andriushchenko et al. 2020): random search with squares at the corners of the l_inf ball; a
/// black-box control that never looks at the gradient. It starts at vertical stripes (the first step, which
/// measures the photo, only counts); then one square is proposed per step, each channel at origin - epsilon
/// or origin + epsilon, and kept when its loss is lower. The share of pixels in a square begins at
/// config.square_share (.05 as published for ImageNet, .8 in AutoAttack) and halves on the schedule of the
/// authors' code, stretched to config.steps.
class Square : public Optimizer {
 public:
  /// constraint: an l_inf ball, else Error. Draws are a function of (config.seed, step).
  Square(const OptimizerConfig& config, const Constraint& constraint);
  Tensor next(const Evaluation& now, const Constraint& constraint, const Tensor& origin,
              int64_t step) override;
  bool needs_deterministic_objective() const override { return true; }
  bool uses_gradient() const override { return false; }
  Tensor candidate(const Tensor& image) const override { return best_.defined() ? best_ : image; }
  OptimizerState state() const override;
  void restore(const OptimizerState& state) override;

 private:
  Tensor stripes(const Tensor& origin, double epsilon, int64_t step) const;
  Tensor proposal(const Tensor& origin, double epsilon, int64_t step) const;

  int64_t steps_;
  double first_share_;
  uint64_t seed_;
  Tensor best_;  ///< [N,3,H,W]
  Tensor loss_;  ///< [N]
};

}  // namespace hijack
