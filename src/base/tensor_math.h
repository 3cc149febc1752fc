#pragma once
#include "src/base/tensor.h"

namespace hijack {

/// The value of `value`, the gradient of `path` (Bengio et al. 2013). Same shapes.
Tensor straight_through(const Tensor& value, const Tensor& path);

/// float32 where x is narrower; losses and norms are never taken in 16 bits.
Tensor at_least_float(const Tensor& x);

/// x on a device; what is undefined stays so.
Tensor on_device(const Tensor& x, at::Device device);

/// [N,3,H,W] -> [N,1,H,W]: .299 R + .587 G + .114 B (ITU-R BT.601).
Tensor luma(const Tensor& image);

}  // namespace hijack
