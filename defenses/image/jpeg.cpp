#include "defenses/image/jpeg.h"

#include "src/base/differentiable_jpeg.h"
#include "src/base/image.h"

namespace hijack {

void Jpeg::Parameters::check() const {
  check_range("quality", static_cast<double>(quality), 1, 100);
}

Jpeg::Jpeg(const Parameters& parameters) : parameters_(parameters) {
  parameters_.check();
}

Tensor Jpeg::apply(const Tensor& image, Random&) const {
  return jpeg_round_trip(image, static_cast<int>(parameters_.quality));
}

Tensor Jpeg::surrogate(const Tensor& image, Random&) const {
  return differentiable_jpeg(image, parameters_.quality);
}

}  // namespace hijack
