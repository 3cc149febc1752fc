#include "attacks/constraints/lattice.h"

#include <ATen/ATen.h>

#include <cstdio>

#include "src/base/image.h"
#include "src/base/upload.h"

namespace hijack {

Tensor levels(const Tensor& image) {
  return (image * kLevels).round().clamp(0, kLevels);
}

Tensor from_levels(const Tensor& values) {
  return from_bytes(values.to(at::kByte)).to(values.options());
}

Tensor uniform_like(const Tensor& image, Random& random) {
  return uploaded(random.uniform_tensor(image.sizes(), 0, 1), image.options());
}

std::string short_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g", value);
  return text;
}

}  // namespace hijack
