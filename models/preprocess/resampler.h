#pragma once
#include "src/base/tensor.h"

namespace hijack {

/// The largest image that a processor may resize to, height x width, and the longest side that its files may
/// name.
inline constexpr int64_t kMaxResizedPixels = int64_t{1} << 28;
inline constexpr int64_t kMaxSide = 16384;

enum class Filter { kBox, kBilinear, kBicubic, kLanczos };

/// PIL's Image.resize on an 8-bit image, bit for bit (22-bit integer weights, rounding and clipping after
/// each pass; in the pass order of Pillow 13). bytes [N,C,H,W] uint8 -> [N,C,height,width] uint8.
Tensor resize_bytes(const Tensor& bytes, int64_t height, int64_t width, Filter filter);

/// The same on an image [N,C,H,W] in [0,1], differentiable: the forward value is resize_bytes of the
/// quantized image / 255 (exact), the gradient is that of the linear filter, and 0 where a sum was clipped to
/// 0..255 after either pass. An image that has the size already is returned as it is, not quantized.
Tensor resize_image(const Tensor& image, int64_t height, int64_t width, Filter filter);

}  // namespace hijack
