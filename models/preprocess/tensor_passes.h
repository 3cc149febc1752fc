#pragma once
#include "models/preprocess/resampler.h"

// The passes of a resize as tensor operations, for devices that the processor does not compute on: the same
// integers, and the same floats in the same order, so that bytes and gradients are those of resampler.cpp's
// loops. Weights are made once for (source, target, filter) and stay on the device. Planes are [P,H,W].

namespace hijack {

struct ResizedPlanes {
  Tensor bytes;    ///< uint8
  Tensor clipped;  ///< bool, where the rounded sum left 0..255
};

/// bytes uint8, `dim` 1 (columns) or 2 (rows) resized to `target` pixels.
ResizedPlanes resized_along(const Tensor& bytes, int64_t dim, int64_t target, Filter filter);

/// The transposed pass: gradient float32 back to `source` pixels along `dim`.
Tensor transposed_along(const Tensor& gradient, int64_t dim, int64_t source, Filter filter);

}  // namespace hijack
