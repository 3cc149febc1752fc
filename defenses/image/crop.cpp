#include "defenses/image/crop.h"

#include "models/preprocess/resampler.h"
#include "src/base/image.h"

namespace hijack {

void Crop::Parameters::check() const {
  check_range("keep", keep, 0.1, 1);
}

Crop::Crop(const Parameters& parameters) : ImageTransform(parameters.seed), parameters_(parameters) {
  parameters_.check();
}

Tensor Crop::apply(const Tensor& image, Random& random) const {
  return quantize(surrogate(quantize(image), random));
}

Tensor Crop::surrogate(const Tensor& image, Random& random) const {
  const int64_t height = image.size(2), width = image.size(3);
  const auto kept = [&](int64_t side) {
    return std::clamp<int64_t>(std::llround(parameters_.keep * static_cast<double>(side)), 1, side);
  };
  const int64_t h = kept(height), w = kept(width);
  const int64_t top = random.between(0, height - h), left = random.between(0, width - w);
  return resize_image(image.narrow(2, top, h).narrow(3, left, w), height, width, Filter::kBilinear);
}

}  // namespace hijack
