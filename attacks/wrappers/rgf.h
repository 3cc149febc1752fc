#pragma once
#include <memory>

#include "attacks/objective_decorator.h"

namespace hijack {

/// A black-box control: the gradient of another objective, estimated from losses alone (random gradient-free
/// method, Nesterov & Spokoiny 2017; AttackVLM's query attack): g = mean over q random directions u of
/// (L(x + s u) - L(x)) / s * u, u of normal numbers (AttackVLM has random signs). The loss is the true one;
/// optimizers cannot tell. What is asked is x + s u as it is, neither clipped to [0,1] nor on the lattice.
class Rgf : public ObjectiveDecorator {
 public:
  /// queries: directions per step (each costs one forward pass), at least 1. smoothing: s, in pixel values.
  Rgf(std::unique_ptr<Objective> inner, int64_t queries, double smoothing, uint64_t seed);
  Tensor loss(const Tensor& image, int64_t step) override;
  /// The losses are; the directions are a function of the step.
  bool deterministic() const override { return inner_->deterministic(); }

 private:
  int64_t queries_;
  double smoothing_;
  uint64_t seed_;
};

}  // namespace hijack
