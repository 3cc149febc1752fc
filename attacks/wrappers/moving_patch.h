#pragma once
#include <memory>
#include <string_view>

#include "attacks/constraint.h"
#include "attacks/objective_decorator.h"

// A patch that works wherever it is put (Bailey et al. 2023, "moving patch"). What is optimized is an image
// with the patch at the constraint's (top, left); what a model sees is the origin with the patch elsewhere.

namespace hijack {

struct Location {
  int64_t top = 0;
  int64_t left = 0;
};

/// A uniform random place for the patch inside an image [N,3,H,W]; a pure function of its arguments.
/// purpose keeps the places of training and of evaluation apart.
Location draw_location(const MovingPatch& patch, const Tensor& image, uint64_t seed, std::string_view purpose,
                       int64_t index);

/// The origin with the patch of `image`, taken from one place and put at another. image, origin [N,3,H,W].
/// Differentiable to the image; the content is copied, never resampled, so that the lattice is kept.
Tensor move_patch(const MovingPatch& patch, const Tensor& image, Location from, Location to,
                  const Tensor& origin);

/// The inner objective, with the patch at a fresh place at each step: a function of (seed, step), so that a
/// resumed run sees the same places. Not deterministic in the sense of Objective.
class MovingPatchObjective : public ObjectiveDecorator {
 public:
  /// origin [1,3,H,W]
  MovingPatchObjective(std::unique_ptr<Objective> inner, const MovingPatch& patch, Tensor origin,
                       uint64_t seed);
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return false; }
  bool images_apart() const override { return inner_->images_apart(); }

 private:
  MovingPatch patch_;
  Tensor origin_;
  uint64_t seed_;
};

}  // namespace hijack
