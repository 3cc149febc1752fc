#pragma once
#include <memory>
#include <utility>

#include "attacks/objective.h"

namespace hijack {

/// An objective that shows another one something else than the image (augmentation.h, universal.h). What the
/// inner one learns from step to step goes on as if it stood alone.
class ObjectiveDecorator : public Objective {
 public:
  void of_photo(size_t index) override { inner_->of_photo(index); }
  void comparing(bool on) override { inner_->comparing(on); }
  bool stepwise() const override { return inner_->stepwise(); }
  void after_step(const Tensor& image, int64_t step) override { inner_->after_step(image, step); }
  ObjectiveState state() const override { return inner_->state(); }
  void restore(const ObjectiveState& state) override { inner_->restore(state); }

 protected:
  explicit ObjectiveDecorator(std::unique_ptr<Objective> inner) : inner_(std::move(inner)) {}

  std::unique_ptr<Objective> inner_;
};

}  // namespace hijack
