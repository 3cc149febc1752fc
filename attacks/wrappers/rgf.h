#pragma once
#include <memory>

#include "attacks/objective_decorator.h"

namespace hijack {

/// A black-box control: the gradient of another objective, estimated from losses alone (random gradient-free
/// method, Nesterov & Spokoiny 2017; AttackVLM's query attack): g = mean over q random directions u of
/// (L(x + s u) - L(x)) / s * u, u of normal numbers (AttackVLM has random signs). The loss is the true one;
/// optimizers cannot tell. What is asked is x + s u as it is, neither clipped to [0,1] nor on the lattice.
/// Of a loss that counts (Objective::stepwise) the differences are often all zero: then there is no
/// direction, and the attack takes no step (attack.h). The state says how often since the last start.
class Rgf : public ObjectiveDecorator {
 public:
  /// queries: directions per step (each costs one forward pass), at least 1. smoothing: s, in pixel values.
  Rgf(std::unique_ptr<Objective> inner, int64_t queries, double smoothing, uint64_t seed);
  Tensor loss(const Tensor& image, int64_t step) override;
  /// The losses are; the directions are a function of the step.
  bool deterministic() const override { return inner_->deterministic(); }
  void after_step(const Tensor& image, int64_t step) override;
  ObjectiveState state() const override;
  void restore(const ObjectiveState& state) override;

 private:
  int64_t queries_;
  double smoothing_;
  uint64_t seed_;
  bool flat_ = false;       ///< the last loss, where it counts, showed no difference
  int64_t flat_steps_ = 0;  ///< so far
};

/// Steps since the last start in which the estimate of such an objective was zero; 0 of any other.
int64_t steps_without_difference(const ObjectiveState& state);

}  // namespace hijack
