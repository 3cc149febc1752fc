#pragma once
#include <functional>
#include <string>
#include <vector>

#include "src/base/tensor.h"

namespace hijack {

/// What happens to pictures between a sender and a model that nobody means as a defense: re-encoding,
/// scaling, screenshots.
struct Processing {
  std::string name;  ///< "JPEG 75", also ReplyRow::variant
  /// [1,3,H,W] on the lattice -> the same shape, on the lattice.
  std::function<Tensor(const Tensor& image)> apply;
};

/// JPEG of quality 95, 85, 75 and 50; WebP 90 and 50; half and double size and back (Pillow's bicubic);
/// a screenshot (enlarged by a quarter as displays do it, bilinear, blurred by half a pixel, and back); BMP
/// and a palette of 256 colors. Codecs that this build has not (no OpenCV) are left out.
std::vector<Processing> processings();

}  // namespace hijack
