#include "src/experiment/evaluate/survival.h"

#include "defenses/image/blur.h"
#include "defenses/image/opencv_filters.h"
#include "defenses/image/resize.h"
#include "models/preprocess/resizer.h"
#include "src/base/image.h"
#include "src/base/round_trips.h"

namespace hijack {
namespace {

/// To another size and back.
Tensor there_and_back(const Tensor& image, double factor) {
  Random unused(0);
  return ResizeDefense({.scale = factor}).apply(image, unused);
}

/// The display's scaling, its soft pixels, and the picture's own size again.
Tensor photographed_screen(const Tensor& image) {
  constexpr double kDisplay = 1.25, kSoft = .5;
  const auto scaled = [&](int64_t side) {
    return std::max<int64_t>(1, std::llround(static_cast<double>(side) * kDisplay));
  };
  const Tensor shown = resize_as("pillow-bilinear", image, scaled(image.size(2)), scaled(image.size(3)));
  const bool tiny = std::min(shown.size(2), shown.size(3)) < 3;  // no room for the blur
  const Tensor soft = tiny ? shown : quantize(gaussian_blur(shown, kSoft));
  return resize_as("pillow-bilinear", soft, image.size(2), image.size(3));
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
