#include "defenses/image/bit_depth.h"

#include "src/base/image.h"

namespace hijack {

void BitDepth::Parameters::check() const {
  check_range("bits", static_cast<double>(bits), 1, 7);
}

BitDepth::BitDepth(const Parameters& parameters) : parameters_(parameters) {
  parameters_.check();
}

Tensor BitDepth::apply(const Tensor& image, Random&) const {
  const double steps = static_cast<double>((int64_t{1} << parameters_.bits) - 1);
  return quantize((quantize(image) * steps).round() / steps);
}

}  // namespace hijack
