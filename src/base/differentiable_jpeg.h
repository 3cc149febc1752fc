#pragma once
#include "src/base/tensor.h"

namespace hijack {

/// JPEG compression as a differentiable function: YCbCr, 4:2:0 chroma, 8x8 DCT, quantization with libjpeg's
/// tables for `quality` (1..100), and back. image [1,3,H,W] in [0,1], any size -> the same shape in [0,1].
/// rounded: coefficients are rounded as the codec does, with the gradient of the identity (straight-through);
/// otherwise nothing is rounded, which leaves the smooth part alone, for tests of the gradient. Within 2/255
/// (mean) of libjpeg's result. After Shin & Song 2017.
Tensor differentiable_jpeg(const Tensor& image, int64_t quality, bool rounded = true);

}  // namespace hijack
