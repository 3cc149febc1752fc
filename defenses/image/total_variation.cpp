#include "defenses/image/total_variation.h"

#include "src/base/image.h"

namespace hijack {

void TotalVariation::Parameters::check() const {
  check_range("weight", weight, 1e-6, 1);
  check_range("iterations", static_cast<double>(iterations), 1, 1000);
}

TotalVariation::TotalVariation(const Parameters& parameters) : parameters_(parameters) {
  parameters_.check();
}

Tensor TotalVariation::apply(const Tensor& image, Random& random) const {
  return quantize(surrogate(quantize(image), random));
}

Tensor TotalVariation::surrogate(const Tensor& image, Random&) const {
  return denoised_by_total_variation(image, parameters_.weight, parameters_.iterations).clamp(0, 1);
}

Tensor denoised_by_total_variation(const Tensor& image, double weight, int64_t iterations) {
  // Forward differences, 0 at the last row and column; `divergence` is the negative of their adjoint.
  const auto down = [](const Tensor& x) { return at::constant_pad_nd(x.diff(1, 2), {0, 0, 0, 1}, 0); };
  const auto across = [](const Tensor& x) { return at::constant_pad_nd(x.diff(1, 3), {0, 1}, 0); };
  const auto divergence = [](const Tensor& p, const Tensor& q) {
    const Tensor vertical = at::constant_pad_nd(p.narrow(2, 0, p.size(2) - 1), {0, 0, 1, 1}, 0).diff(1, 2);
    const Tensor horizontal = at::constant_pad_nd(q.narrow(3, 0, q.size(3) - 1), {1, 1}, 0).diff(1, 3);
    return vertical + horizontal;
  };
  constexpr double kStep = 0.248;                               // below 1/4 the iterations converge
  Tensor p = at::zeros_like(image), q = at::zeros_like(image);  // the dual field, per channel
  for (int64_t i = 0; i < iterations; ++i) {
    const Tensor rest = divergence(p, q) - image / weight;
    const Tensor dy = down(rest), dx = across(rest);
    const Tensor length = (dy * dy + dx * dx + 1e-12).sqrt();
    p = (p + kStep * dy) / (1 + kStep * length);
    q = (q + kStep * dx) / (1 + kStep * length);
  }
  return image - weight * divergence(p, q);
}

}  // namespace hijack
