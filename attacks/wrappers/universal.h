#pragma once
#include <memory>
#include <vector>

#include "attacks/constraint.h"
#include "attacks/objective_decorator.h"
#include "attacks/objectives/context_batches.h"

// Universal images (Moosavi-Dezfooli et al. 2017): one change for many photos. The attack works on a carrier:
// in a ball the change is the difference to middle gray, and is added to each photo; where pixels are free
// (patch, border, mask, box) the carrier's free pixels replace those of each photo.

namespace hijack {

/// The image around which such an attack works, on the lattice: middle gray for balls, else the photo itself.
Tensor carrier_for(const Constraint& constraint, const Tensor& photo);

/// A photo with the change in it, in [0,1]; on the lattice when all three images are. Where a sum leaves
/// [0,1] it is cut off, with the gradient of the sum. Images [1,3,H,W] of one size.
Tensor with_change(const Constraint& constraint, const Tensor& image, const Tensor& carrier,
                   const Tensor& photo);

/// The mean of another objective over photos, `batch` of them per step (0 = all), a function of (seed, step).
class UniversalObjective : public ObjectiveDecorator {
 public:
  /// photos [1,3,H,W] of one size. Throws Error for a moving patch, whose place changes as well.
  UniversalObjective(std::unique_ptr<Objective> inner, Constraint constraint, Tensor carrier,
                     std::vector<Tensor> photos, int64_t batch, uint64_t seed);
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return inner_->deterministic() && batches_.all(); }
  bool images_apart() const override { return inner_->images_apart(); }

 private:
  Constraint constraint_;
  Tensor carrier_;
  std::vector<Tensor> photos_;
  ContextBatches batches_;
};

}  // namespace hijack
