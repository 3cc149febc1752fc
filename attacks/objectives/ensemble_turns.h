#pragma once
#include <memory>
#include <vector>

#include "attacks/objective.h"

namespace hijack {

/// The objectives of n models as optimizer cwa reads them: of each n + 1 steps the first is their mean, then
/// each has its turn. All steps of such a cycle see the same contexts and draws.
class EnsembleTurns : public Objective {
 public:
  explicit EnsembleTurns(std::vector<std::unique_ptr<Objective>> models) : models_(std::move(models)) {}
  Tensor loss(const Tensor& image, int64_t step) override {
    const auto turns = static_cast<int64_t>(models_.size()) + 1;
    if (step % turns > 0) return models_[static_cast<size_t>(step % turns) - 1]->loss(image, step / turns);
    Tensor sum;
    for (const auto& model : models_) {
      const Tensor one = model->loss(image, step / turns);
      sum = sum.defined() ? sum + one : one;
    }
    return sum / static_cast<double>(models_.size());
  }
  Tensor comparable_loss(const Tensor& image) override {
    Tensor sum;
    for (const auto& model : models_) {
      const Tensor one = model->comparable_loss(image);
      sum = sum.defined() ? sum + one : one;
    }
    return sum / static_cast<double>(models_.size());
  }
  void of_photo(size_t index) override {
    for (const auto& model : models_) model->of_photo(index);
  }
  bool deterministic() const override { return false; }

 private:
  std::vector<std::unique_ptr<Objective>> models_;
};

}  // namespace hijack
