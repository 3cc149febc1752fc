#include "defenses/image/resize.h"

#include "models/preprocess/resizer.h"
#include "src/base/image.h"

namespace hijack {

void ResizeDefense::Parameters::check() const {
  check_range("scale", scale, 0.05, 4);
  check_choice("filter", filter, resizer_names());
  if (!size.empty()) parse_size(size);
}

ResizeDefense::ResizeDefense(const Parameters& parameters) : parameters_(parameters) {
  parameters_.check();
}

Tensor ResizeDefense::apply(const Tensor& image, Random& random) const {
  return quantize(surrogate(quantize(image), random));
}

Tensor ResizeDefense::surrogate(const Tensor& image, Random&) const {
  const auto scaled = [&](int64_t side) {
    return std::max<int64_t>(1, std::llround(parameters_.scale * static_cast<double>(side)));
  };
  const Size2d wanted = parameters_.size.empty() ? Size2d{scaled(image.size(2)), scaled(image.size(3))}
                                                 : parse_size(parameters_.size);
  const Tensor other = resize_as(parameters_.filter, image, wanted.height, wanted.width);
  return parameters_.back ? resize_as(parameters_.filter, other, image.size(2), image.size(3)) : other;
}

}  // namespace hijack
