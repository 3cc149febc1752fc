#include "src/experiment/run/survival.h"

#include "defenses/image/blur.h"
#include "defenses/image/opencv_filters.h"
#include "models/preprocess/resampler.h"
#include "src/base/image.h"
#include "src/base/round_trips.h"

namespace hijack {
namespace {

Tensor scaled_bytes(const Tensor& bytes, int64_t height, int64_t width, Filter filter) {
  return bytes.size(2) == height && bytes.size(3) == width ? bytes
                                                           : resize_bytes(bytes, height, width, filter);
}

int64_t scaled_side(int64_t side, double factor) {
  return std::max<int64_t>(1, std::llround(static_cast<double>(side) * factor));
}

/// To another size and back.
Tensor there_and_back(const Tensor& image, double factor) {
  const int64_t height = image.size(2), width = image.size(3);
  const Tensor other = scaled_bytes(to_bytes(image), scaled_side(height, factor), scaled_side(width, factor),
                                    Filter::kBicubic);
  return from_bytes(scaled_bytes(other, height, width, Filter::kBicubic)).to(image.device());
}

/// The display's scaling, its soft pixels, and the picture's own size again.
Tensor photographed_screen(const Tensor& image) {
  constexpr double kDisplay = 1.25, kSoft = .5;
  const int64_t height = image.size(2), width = image.size(3);
  const Tensor shown = from_bytes(scaled_bytes(to_bytes(image), scaled_side(height, kDisplay),
                                               scaled_side(width, kDisplay), Filter::kBilinear));
  const bool tiny = std::min(shown.size(2), shown.size(3)) < 3;  // no room for the blur
  const Tensor soft = tiny ? shown : quantize(gaussian_blur(shown, kSoft));
  return from_bytes(scaled_bytes(to_bytes(soft), height, width, Filter::kBilinear)).to(image.device());
}

}  // namespace

std::vector<Processing> processings() {
  std::vector<Processing> all;
  const bool codecs = have_opencv();
  for (const int quality : {95, 85, 75, 50})
    if (codecs)
      all.push_back({"JPEG " + std::to_string(quality),
                     [quality](const Tensor& image) { return jpeg_round_trip(image, quality); }});
  for (const int quality : {90, 50})
    if (codecs)
      all.push_back({"WebP " + std::to_string(quality),
                     [quality](const Tensor& image) { return webp_round_trip(image, quality); }});
  all.push_back({"half size and back", [](const Tensor& image) { return there_and_back(image, .5); }});
  all.push_back({"double size and back", [](const Tensor& image) { return there_and_back(image, 2); }});
  all.push_back({"screenshot", photographed_screen});
  if (codecs) all.push_back({"BMP", bmp_round_trip});
  all.push_back({"palette of 256", [](const Tensor& image) { return palette_round_trip(image, 256); }});
  return all;
}

}  // namespace hijack
