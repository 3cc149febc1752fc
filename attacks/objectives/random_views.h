#pragma once
#include <string>

#include "src/base/random.h"
#include "src/base/tensor.h"

namespace hijack {

/// The share of an image's area that a random window has.
struct WindowShare {
  double least = 1, most = 1;
  bool whole() const { return least == 1; }
};
/// "0.5-0.9", or "0.5" for 0.5-1; empty = the whole image. Throws Error that names the flag.
WindowShare parse_window(const std::string& text, const char* flag);

/// A random window of the image [N,3,H,W], resized to the whole (bilinear, antialiased): torchvision's
/// RandomResizedCrop with sides from 3:4 to 4:3, which M-Attack uses. Differentiable.
Tensor random_window(const Tensor& image, const WindowShare& share, Random& random);

/// Left and right exchanged in half of the draws, then turned around its middle by up to `degrees` in both
/// directions (nearest pixel, black outside): torchvision's RandomHorizontalFlip and RandomRotation. 0: as it
/// is.
Tensor random_turn(const Tensor& image, double degrees, Random& random);

}  // namespace hijack
