#include "attacks/objectives/random_views.h"

#include <ATen/ATen.h>

#include <charconv>
#include <cmath>
#include <numbers>

#include "src/base/error.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

double area_share(std::string_view text, const std::string& whole, const char* flag) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0 && value <= 1))
    throw Error(std::string(flag) + " '" + whole.substr(0, 40) +
                "' is no share of the area: write 0.5-0.9, both above 0 and at most 1.");
  return value;
}

struct Window {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

/// As torchvision draws it: ten tries, then the middle.
Window draw_window(int64_t height, int64_t width, const WindowShare& share, Random& random) {
  constexpr int kTries = 10;
  constexpr double kNarrow = 3.0 / 4, kWide = 4.0 / 3;
  const double area = static_cast<double>(height * width);
  for (int i = 0; i < kTries; ++i) {
    const double target = area * random.uniform(share.least, share.most);
    const double ratio = std::exp(random.uniform(std::log(kNarrow), std::log(kWide)));
    Window window;
    window.width = std::llround(std::sqrt(target * ratio));
    window.height = std::llround(std::sqrt(target / ratio));
    if (window.width < 1 || window.width > width || window.height < 1 || window.height > height) continue;
    window.top = random.between(0, height - window.height);
    window.left = random.between(0, width - window.width);
    return window;
  }
  Window middle{0, 0, height, width};
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  if (ratio < kNarrow) middle.height = std::llround(static_cast<double>(width) / kNarrow);
  if (ratio > kWide) middle.width = std::llround(static_cast<double>(height) * kWide);
  middle.top = (height - middle.height) / 2;
  middle.left = (width - middle.width) / 2;
  return middle;
}

}  // namespace

WindowShare parse_window(const std::string& text, const char* flag) {
  if (text.empty()) return {};
  const size_t dash = text.find('-');
  WindowShare share;
  share.least = area_share(std::string_view(text).substr(0, dash), text, flag);
  if (dash != std::string::npos) share.most = area_share(std::string_view(text).substr(dash + 1), text, flag);
  if (share.least > share.most)
    throw Error(std::string(flag) + " '" + text.substr(0, 40) + "': the smaller share comes first.");
  return share;
}

Tensor random_window(const Tensor& image, const WindowShare& share, Random& random) {
  if (share.whole()) return image;
  const int64_t height = image.size(2), width = image.size(3);
  const Window window = draw_window(height, width, share, random);
  return at::_upsample_bilinear2d_aa(
      image.narrow(2, window.top, window.height).narrow(3, window.left, window.width), {height, width},
      /*align_corners=*/false);
}

Tensor random_turn(const Tensor& image, double degrees, Random& random) {
  if (degrees == 0) return image;
  const Tensor flipped = random.chance(.5) ? image.flip({3}) : image;
  const double angle = random.uniform(-degrees, degrees) * std::numbers::pi / 180;
  const double ratio = static_cast<double>(image.size(2)) / static_cast<double>(image.size(3));
  const double cosine = std::cos(angle), sine = std::sin(angle);
  // in coordinates from -1 to 1, which are not square where the image is not
  const Tensor turn =
      uploaded(at::tensor({cosine, -sine * ratio, 0.0, sine / ratio, cosine, 0.0}), image.options())
          .view({1, 2, 3});
  const Tensor grid = at::affine_grid_generator(turn.expand({image.size(0), 2, 3}), image.sizes(),
                                                /*align_corners=*/false);
  return at::grid_sampler_2d(flipped, grid, /*nearest*/ 1, /*zeros*/ 0, /*align_corners=*/false);
}

}  // namespace hijack
