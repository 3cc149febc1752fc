#pragma once
#include <cstdint>

#include "src/base/random.h"
#include "src/base/tensor.h"

namespace hijack {

/// The loss to minimize.
class Objective {
 public:
  virtual ~Objective() = default;
  /// image [N,3,H,W] in [0,1], inside an autograd graph -> [N], one value per image, differentiable.
  /// step chooses the mini-batch and random draws, so that a resumed run sees the same ones.
  virtual Tensor loss(const Tensor& image, int64_t step) = 0;
  /// Whether two calls with one image and different steps give the same value (what APGD needs).
  virtual bool deterministic() const = 0;
};

}  // namespace hijack
