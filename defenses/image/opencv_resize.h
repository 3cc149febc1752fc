#pragma once
#include <string>

#include "src/base/tensor.h"

namespace hijack {

/// Whether this build has OpenCV, and the filter of this name (models/preprocess/resizer.h) is one of its.
bool opencv_resizes(const std::string& filter);

/// cv::resize itself, 8 bits: [1,3,H,W] on the lattice -> [1,3,height,width] on the lattice. Throws Error for
/// filters that it has not, and in a build without OpenCV.
Tensor opencv_resize(const std::string& filter, const Tensor& image, int64_t height, int64_t width);

}  // namespace hijack
