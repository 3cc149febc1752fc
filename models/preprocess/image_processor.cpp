#include "models/preprocess/image_processor.h"

#include <ATen/ATen.h>

#include "models/preprocess/processor_config.h"
#include "src/base/error.h"

namespace hijack {
namespace {

/// A side of the result of Python's int(size * long / short).
int64_t long_side(int64_t size, int64_t longer, int64_t shorter) {
  return static_cast<int64_t>(static_cast<double>(size * longer) / static_cast<double>(shorter));
}

/// Floor of (a - b) / 2, also for negative differences.
int64_t half_difference(int64_t a, int64_t b) {
  return (a - b) >> 1;
}

/// As transformers' center_crop: where the image is smaller, zeros around it.
Tensor center_crop(const Tensor& image, int64_t height, int64_t width) {
  const int64_t h = image.size(2), w = image.size(3);
  int64_t top = half_difference(h, height), left = half_difference(w, width);
  Tensor padded = image;
  if (h < height || w < width) {
    const int64_t more_h = std::max(height - h, int64_t{0}), more_w = std::max(width - w, int64_t{0});
    const int64_t above = (more_h + 1) / 2, before = (more_w + 1) / 2;
    padded = at::constant_pad_nd(image, {before, more_w - before, above, more_h - above}, 0);
    top += above;
    left += before;
  }
  return padded.narrow(2, top, height).narrow(3, left, width);
}

}  // namespace

Tensor padded_to_square(const Tensor& image, const std::array<double, 3>& mean) {
  const int64_t height = image.size(2), width = image.size(3), side = std::max(height, width);
  if (height == width) return image;
  std::vector<float> color;
  for (const double value : mean) color.push_back(static_cast<float>(static_cast<int>(value * 255)) / 255.0f);
  const Tensor background =
      at::tensor(color).to(image.options()).reshape({1, 3, 1, 1}).expand({image.size(0), 3, side, side});
  const int64_t dim = height < width ? 2 : 3, size = image.size(dim), before = (side - size) / 2;
  return at::cat({background.narrow(dim, 0, before), image, background.narrow(dim, 0, side - size - before)},
                 dim);
}

int64_t ImageProcessor::output_height() const {
  return do_center_crop ? crop_height : shortest_edge > 0 ? shortest_edge : resize_height;
}

int64_t ImageProcessor::output_width() const {
  return do_center_crop ? crop_width : shortest_edge > 0 ? shortest_edge : resize_width;
}

Tensor ImageProcessor::geometry(const Tensor& image) const {
  TORCH_CHECK(image.dim() == 4 && image.size(1) == 3, "ImageProcessor needs [N,3,H,W], not ", image.sizes());
  Tensor result = pad_to_square ? padded_to_square(image, mean) : image;
  if (do_resize) {
    int64_t height = resize_height, width = resize_width;
    if (shortest_edge > 0) {
      const int64_t h = result.size(2), w = result.size(3);
      height = w <= h ? long_side(shortest_edge, h, w) : shortest_edge;
      width = w <= h ? shortest_edge : long_side(shortest_edge, w, h);
    }
    if (height > kMaxResizedPixels / width)
      throw Error("an image of " + std::to_string(image.size(3)) + "x" + std::to_string(image.size(2)) +
                  " pixels is too long and thin for this model; crop it first");
    result = resize_image(result, height, width, filter);
  }
  return do_center_crop ? center_crop(result, crop_height, crop_width) : result;
}

Tensor ImageProcessor::normalize(const Tensor& image) const {
  return normalize_channels(image, mean, std);
}

}  // namespace hijack
