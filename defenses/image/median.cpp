#include "defenses/image/median.h"

#include "defenses/image/opencv_filters.h"
#include "src/base/image.h"

namespace hijack {

void Median::Parameters::check() const {
  check_range("size", static_cast<double>(size), 2, 7);
}

Median::Median(const Parameters& parameters) : parameters_(parameters) {
  parameters_.check();
}

Tensor Median::apply(const Tensor& image, Random&) const {
  const bool in_opencv = parameters_.size == 3 || parameters_.size == 5;  // 8-bit, any number of channels
  const Tensor lattice = quantize(image);
  return in_opencv && have_opencv() ? opencv_median(lattice, parameters_.size)
                                    : median_filter(lattice, parameters_.size);
}

Tensor Median::surrogate(const Tensor& image, Random&) const {
  return median_filter(image, parameters_.size);
}

Tensor median_filter(const Tensor& image, int64_t size) {
  const int64_t before = size / 2, after = size - 1 - before;
  const Tensor padded = at::replication_pad2d(image, {before, after, before, after});
  const Tensor windows = padded.unfold(2, size, 1).unfold(3, size, 1).flatten(4);  // [1,C,H,W,size*size]
  return std::get<0>(windows.kthvalue(size * size / 2 + 1, -1));
}

}  // namespace hijack
