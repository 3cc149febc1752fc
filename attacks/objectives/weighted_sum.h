#pragma once
#include <memory>
#include <vector>

#include "attacks/objective.h"

namespace hijack {

/// Objectives added up, each with its weight; a negative weight raises that loss. Its terms may belong to
/// different models (an ensemble): each preprocesses the same image for itself.
class WeightedSum : public Objective {
 public:
  struct Term {
    double weight = 1;
    std::unique_ptr<Objective> objective;
  };
  explicit WeightedSum(std::vector<Term> terms) : terms_(std::move(terms)) {}
  Tensor loss(const Tensor& image, int64_t step) override {
    Tensor sum;
    for (const Term& term : terms_) {
      const Tensor one = term.weight * term.objective->loss(image, step);
      sum = sum.defined() ? sum + one : one;
    }
    return sum;
  }
  void of_photo(size_t index) override {
    for (const Term& term : terms_) term.objective->of_photo(index);
  }
  void comparing(bool on) override {
    for (const Term& term : terms_) term.objective->comparing(on);
  }
  // One term at most has a state (that over the surrogates).
  void after_step(const Tensor& image, int64_t step) override {
    for (const Term& term : terms_) term.objective->after_step(image, step);
  }
  ObjectiveState state() const override {
    ObjectiveState all;
    for (const Term& term : terms_) all.merge(term.objective->state());
    return all;
  }
  void restore(const ObjectiveState& state) override {
    for (const Term& term : terms_) term.objective->restore(state);
  }
  Tensor comparable_loss(const Tensor& image) override {
    Tensor sum;
    for (const Term& term : terms_) {
      const Tensor one = term.weight * term.objective->comparable_loss(image);
      sum = sum.defined() ? sum + one : one;
    }
    return sum;
  }
  bool deterministic() const override {
    return std::all_of(terms_.begin(), terms_.end(),
                       [](const Term& term) { return term.objective->deterministic(); });
  }
  bool images_apart() const override {
    return std::all_of(terms_.begin(), terms_.end(),
                       [](const Term& term) { return term.objective->images_apart(); });
  }

 private:
  std::vector<Term> terms_;
};

}  // namespace hijack
