#pragma once
#include "attacks/optimizer.h"

namespace hijack {

/// Common weakness (Chen et al. 2023, "Rethinking Model Ensemble in Transfer-based Adversarial Attacks",
/// MI-CWA): toward points that are flat and close to the optima of all n models. Works in cycles of n + 1
/// steps, whose losses EnsembleTurns gives: from x at the mean of the models a short step up the loss
/// (SAM; r = step_size/3), then for each model in turn (CSE) m = mu * m + g_i / |g_i|_2 and a step of
/// -beta * m, and at the end M = mu * M + w / |w|_1, w the way from x to where the models led, and from x a
/// step of step_size * sign(M); every point is projected onto the set. m and M last over the cycles; mu is
/// config.momentum (1 as published). Default step_size: epsilon/5 in an l_inf ball and r = epsilon/15, as
/// published; radius/8 in an l2 ball, else 1/255. beta = cwa_inner * sqrt(values); default cwa_inner in an
/// l_inf ball: 250 over 224 x 224 pixels, as in the authors' code, elsewhere step_size. Departure: the first
/// step climbs the mean of the models' losses, not the loss of their mean logits, because models have
/// different vocabularies. Throws Error for a moving patch.
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
  double inner_size_;  ///< root mean square of a step along one model's gradient
  double momentum_;
  int64_t models_;
  Tensor outer_;        ///< where this cycle began, or the last one ended
  Tensor inner_;        ///< accumulated gradients of the models, over all cycles
  Tensor accumulated_;  ///< the ways of the cycles
};

}  // namespace hijack
