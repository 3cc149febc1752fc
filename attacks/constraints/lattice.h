#pragma once
#include <string>

#include "src/base/random.h"
#include "src/base/tensor.h"

// What the constraints share: whole levels 0..255, and numbers as text.

namespace hijack {

constexpr double kLevels = 255;

/// Levels 0..255 as floating-point numbers, which hold them exactly; and back.
Tensor levels(const Tensor& image);
Tensor from_levels(const Tensor& values);

/// [0,1), drawn on the CPU.
Tensor uniform_like(const Tensor& image, Random& random);

/// At most 6 digits: "8", "0.5".
std::string short_number(double value);

}  // namespace hijack
