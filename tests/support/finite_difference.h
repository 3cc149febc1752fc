#pragma once
#include <cstdint>
#include <functional>

#include "src/base/tensor.h"

namespace hijack {

struct DifferenceOptions {
  int64_t coordinates =
      24;              ///< how many to check, drawn at random; one random direction through all comes on top
  double step = 1e-5;  ///< fits float64; for float32 functions use about 1e-2 and expect errors of 1e-2
  uint64_t seed = 1;
};

/// Compares autograd with central differences. f: tensor like `point` -> scalar (any shape with one element).
/// Returns the largest |difference| relative to the largest gradient entry (for the direction: to the
/// gradient's norm); infinity when the gradient is zero or missing. Use float64 where the function allows it.
double worst_gradient_error(const std::function<Tensor(const Tensor&)>& f, const Tensor& point,
                            const DifferenceOptions& options = {});

}  // namespace hijack
