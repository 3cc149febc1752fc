#include "defenses/image/resize_pad.h"

#include "models/preprocess/resampler.h"
#include "src/base/image.h"

namespace hijack {

void ResizePad::Parameters::check() const {
  check_range("smallest", smallest, 0.1, 1);
}

ResizePad::ResizePad(const Parameters& parameters)
    : ImageTransform(parameters.seed), parameters_(parameters) {
  parameters_.check();
}

Tensor ResizePad::apply(const Tensor& image, Random& random) const {
  return quantize(surrogate(quantize(image), random));
}

Tensor ResizePad::surrogate(const Tensor& image, Random& random) const {
  const int64_t height = image.size(2), width = image.size(3);
  const double factor = random.uniform(parameters_.smallest, 1);
  const auto shrunk = [&](int64_t side) {
    return std::clamp<int64_t>(std::llround(factor * static_cast<double>(side)), 1, side);
  };
  const int64_t h = shrunk(height), w = shrunk(width);
  const int64_t top = random.between(0, height - h), left = random.between(0, width - w);
  const Tensor small = resize_image(image, h, w, Filter::kBilinear);
  return at::constant_pad_nd(small, {left, width - w - left, top, height - h - top}, 0);
}

}  // namespace hijack
