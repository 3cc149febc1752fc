#pragma once
#include "attacks/optimizer.h"

namespace hijack {

/// Auto-PGD (Croce & Hein 2020, algorithm 1), for l_inf and l2 balls; minimizes. Steps along the steepest
/// direction with momentum .75 from `apgd_alpha` * radius on (2 as published; 1 in RobustVLM). At
/// checkpoints, after .22 of `steps` and then after spans that shrink by .03 down to .06, an image whose loss
/// fell in at most .75 of the span's steps, or that neither improved nor had its step halved since the last
/// checkpoint, goes on from its best point with half the step. Every image of a batch is on its own.
///
/// Checkpoints are whole steps, rounded as in the authors' code. Losses are compared between steps, hence the
/// deterministic objective. Throws Error for a constraint without radius.
class Apgd : public Optimizer {
 public:
  Apgd(const OptimizerConfig& config, const Constraint& constraint);
  Tensor next(const Evaluation& now, const Constraint& constraint, const Tensor& origin,
              int64_t step) override;
  bool needs_deterministic_objective() const override { return true; }
  /// The point with the lowest loss so far.
  Tensor candidate(const Tensor& image) const override;
  OptimizerState state() const override;
  void restore(const OptimizerState& state) override;

  /// [N,1,1,1]: the step that the last next() took.
  const Tensor& step_size() const { return step_size_; }

 private:
  struct Point {
    Tensor image;
    Tensor gradient;
  };
  void begin(const Evaluation& now, const Constraint& constraint);
  void record(const Evaluation& now);
  Point at_checkpoint(const Evaluation& now);

  int64_t first_span_;
  int64_t smallest_span_;
  int64_t span_decrease_;
  double alpha_;
  Tensor step_size_;       ///< [N,1,1,1] like all that follow, unless noted
  Tensor previous_image_;  ///< [N,3,H,W], the point before this one
  Tensor best_image_;      ///< [N,3,H,W]
  Tensor best_gradient_;   ///< [N,3,H,W]
  Tensor best_loss_;
  Tensor last_loss_;        ///< at the point before this one
  Tensor checkpoint_loss_;  ///< best loss at the last checkpoint
  Tensor halved_;           ///< 1 where the last checkpoint halved the step
  Tensor falls_;            ///< steps since the last checkpoint at which the loss fell
  Tensor counters_;         ///< [2]: steps since the last checkpoint, length of this span
};

}  // namespace hijack
