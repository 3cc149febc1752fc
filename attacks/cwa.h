#pragma once
#include "attacks/optimizer.h"

namespace hijack {

/// Common weakness (Chen et al. 2023, "Rethinking Model Ensemble in Transfer-based Adversarial Attacks",
/// MI-CWA): toward points that are flat and close to the optima of all n models. Works in cycles of n + 1
/// steps, whose losses EnsembleTurns gives: at the mean of the models a short step up the loss (a third of
/// step_size), then for each model in turn a step of l2 length step_size * sqrt(values) along its
/// accumulated, normalized gradient, and at the end from where the cycle began a step of step_size along the
/// accumulated way that the models led. Momentum is that of the config (1 as published). Departure: the inner
/// step is tied to step_size, where the authors have a constant. Default step_size: radius/8 of a ball but at
/// most 2/255 in l_inf, else 1/255. Throws Error for a moving patch.
class Cwa : public Optimizer {
 public:
  Cwa(const OptimizerConfig& config, const Constraint& constraint);
  Tensor next(const Evaluation& now, const Constraint& constraint, const Tensor& origin,
              int64_t step) override;
  /// Where the last cycle ended: the points between are only looked at.
  Tensor candidate(const Tensor& image) const override { return outer_.defined() ? outer_ : image; }
  OptimizerState state() const override;
  void restore(const OptimizerState& state) override;

 private:
  double step_size_;
  double momentum_;
  int64_t models_;
  Tensor outer_;        ///< where this cycle began, or the last one ended
  Tensor inner_;        ///< accumulated gradient of this cycle
  Tensor accumulated_;  ///< the ways of the cycles
};

}  // namespace hijack
