#include "defenses/image/blur.h"

#include "defenses/image/opencv_filters.h"
#include "src/base/error.h"
#include "src/base/image.h"

namespace hijack {
namespace {

int64_t reach(double sigma) {
  return static_cast<int64_t>(std::ceil(3 * sigma));
}

/// [2 reach + 1], sums to 1.
Tensor kernel(double sigma) {
  const auto radius = static_cast<double>(reach(sigma));
  const Tensor x = at::arange(-radius, radius + 1, at::kDouble);
  const Tensor weights = at::exp(-x * x / (2 * sigma * sigma));
  return (weights / weights.sum()).to(at::kFloat);
}

void check_size(const Tensor& image, double sigma) {
  if (std::min(image.size(2), image.size(3)) <= reach(sigma))
    throw Error("Defense 'blur' with sigma " + std::to_string(sigma) + " needs a larger image than " +
                std::to_string(image.size(2)) + "x" + std::to_string(image.size(3)) + ".");
}

}  // namespace

void Blur::Parameters::check() const {
  check_range("sigma", sigma, 0.1, 10);
}

Blur::Blur(const Parameters& parameters) : parameters_(parameters) {
  parameters_.check();
}

Tensor Blur::apply(const Tensor& image, Random&) const {
  check_size(image, parameters_.sigma);
  const Tensor lattice = quantize(image);
  return have_opencv() ? opencv_blur(lattice, parameters_.sigma, 2 * reach(parameters_.sigma) + 1)
                       : quantize(gaussian_blur(lattice, parameters_.sigma));
}

Tensor Blur::surrogate(const Tensor& image, Random&) const {
  return gaussian_blur(image, parameters_.sigma);
}

Tensor gaussian_blur(const Tensor& image, double sigma) {
  check_size(image, sigma);
  const int64_t radius = reach(sigma), channels = image.size(1);
  const Tensor weights = kernel(sigma).to(image.options());
  const Tensor padded = at::reflection_pad2d(image, {radius, radius, radius, radius});
  const Tensor rows = weights.view({1, 1, 1, -1}).expand({channels, 1, 1, -1}).contiguous();
  const Tensor columns = weights.view({1, 1, -1, 1}).expand({channels, 1, -1, 1}).contiguous();
  const Tensor across = at::conv2d(padded, rows, Tensor(), 1, at::IntArrayRef{0}, 1, channels);
  return at::conv2d(across, columns, Tensor(), 1, at::IntArrayRef{0}, 1, channels);
}

}  // namespace hijack
