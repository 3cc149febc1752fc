#include "defenses/image/noise.h"

#include "src/base/image.h"
#include "src/base/upload.h"

namespace hijack {

void Noise::Parameters::check() const {
  check_range("sigma", sigma, 0, 255);
}

Noise::Noise(const Parameters& parameters) : ImageTransform(parameters.seed), parameters_(parameters) {
  parameters_.check();
}

Tensor Noise::apply(const Tensor& image, Random& random) const {
  return quantize(surrogate(image, random));
}

Tensor Noise::surrogate(const Tensor& image, Random& random) const {
  const Tensor noise = uploaded(random.normal_tensor(image.sizes()), image.options().dtype(at::kFloat));
  return (image + noise * (parameters_.sigma / 255)).clamp(0, 1);
}

}  // namespace hijack
