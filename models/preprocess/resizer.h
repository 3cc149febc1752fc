#pragma once
#include <string>
#include <vector>

#include "src/base/tensor.h"

// Resizing as pipelines in front of models do it, by name. Pillow's filters are antialiased: their reach
// grows with the factor, so that every pixel counts. OpenCV's bilinear and bicubic look at 2 and 4 pixels a
// direction however much the image shrinks, nearest at one: what lies between is never read.
//
//   nearest, bilinear, bicubic, area      cv::resize with INTER_NEAREST, _LINEAR, _CUBIC (a = -0.75), _AREA
//   pillow-nearest, pillow-box, pillow-bilinear, pillow-bicubic, pillow-lanczos      Image.resize

namespace hijack {

struct Size2d {
  int64_t height = 0;
  int64_t width = 0;
};

std::vector<std::string> resizer_names();

/// "512" (a square) or "640x480" (width x height). Throws Error, also for sides above 4096.
Size2d parse_size(const std::string& text);
/// "640x480".
std::string size_text(const Size2d& size);

/// image [N,C,H,W] in [0,1] -> [N,C,height,width] on the lattice (as it is where the size is the same). The
/// gradient is that of the linear filter. Pillow's filters bit for bit (resampler.h); OpenCV's from its
/// formulas in floating point, within 1/255 of its 8-bit arithmetic, and like it averaging 2 x 2 pixels where
/// bilinear halves both sides, and taking two pixels for area where a side grows. Throws Error for an unknown
/// name.
Tensor resize_as(const std::string& name, const Tensor& image, int64_t height, int64_t width);

}  // namespace hijack
