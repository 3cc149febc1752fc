#pragma once
#include "src/base/tensor.h"

// The 8-bit filters that deployed systems use. Images [1,3,H,W] on the lattice -> the same.

namespace hijack {

/// Whether this build has OpenCV; without it the others throw Error.
bool have_opencv();

/// cv::medianBlur. size 3 or 5.
Tensor opencv_median(const Tensor& image, int64_t size);

/// cv::GaussianBlur with mirrored edges. size: side of the kernel, odd.
Tensor opencv_blur(const Tensor& image, double sigma, int64_t size);

}  // namespace hijack
