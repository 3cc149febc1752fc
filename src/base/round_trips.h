#pragma once
#include "src/base/tensor.h"

// What becomes of an image that is saved in another way than as PNG of full color. [N,3,H,W] in [0,1] -> the
// same shape on the lattice. JPEG: image.h.

namespace hijack {

/// WebP bytes decoded again. quality 1..100 (lossy). Throws Error in a build without OpenCV.
Tensor webp_round_trip(const Tensor& image, int quality);

/// BMP bytes decoded again: nothing is lost. Throws Error in a build without OpenCV.
Tensor bmp_round_trip(const Tensor& image);

/// An image with a palette of its own of at most `colors` (2 to 256), as GIF and 8-bit PNG have it: median
/// cut (Heckbert 1982), each pixel takes the mean color of its box; no dithering.
Tensor palette_round_trip(const Tensor& image, int64_t colors);

}  // namespace hijack
