#include "src/experiment/inside/heat_map.h"

#include <ATen/ATen.h>

#include <cmath>

#include "src/base/tensor_math.h"

namespace hijack {
namespace {

constexpr double kProportions = 0.15;  // how far a grid's may be from the photo's, relative
constexpr double kCover = 0.85;        // of the hottest places
constexpr int64_t kStrip = 8, kTall = 300;

}  // namespace

std::optional<std::pair<int64_t, int64_t>> token_grid(int64_t tokens, int64_t height, int64_t width) {
  const double wanted = std::log(static_cast<double>(height) / static_cast<double>(width));
  std::optional<std::pair<int64_t, int64_t>> best;
  double nearest = kProportions;
  for (int64_t rows = 1; rows <= tokens; ++rows) {
    if (tokens % rows != 0) continue;
    const int64_t columns = tokens / rows;
    const double off = std::abs(std::log(static_cast<double>(rows) / static_cast<double>(columns)) - wanted);
    if (off < nearest) best = {rows, columns}, nearest = off;
  }
  return best;
}

Tensor heat_on_photo(const Tensor& photo, const Tensor& values, double most) {
  const Tensor gray = luma(photo) * 0.8 + 0.1;  // [1,1,H,W]
  const Tensor share =
      (values / std::max(most, 1e-12)).clamp(0, 1).view({1, 1, values.size(0), values.size(1)});
  const Tensor heat = at::upsample_nearest2d(share.to(at::kFloat), {photo.size(2), photo.size(3)});
  const Tensor color = at::cat({at::ones_like(heat), heat * 0.9, heat * 0.1}, 1);
  const Tensor cover = heat.pow(0.7) * kCover;
  return gray * (1 - cover) + color * cover;
}

Tensor side_by_side(const Tensor& left, const Tensor& right) {
  const Tensor strip = at::ones({1, 3, left.size(2), kStrip});
  return at::cat({left, strip, right}, 3);
}

Tensor enlarged(const Tensor& picture) {
  const int64_t times = std::max<int64_t>(kTall / picture.size(2), 1);
  return at::upsample_nearest2d(picture, {picture.size(2) * times, picture.size(3) * times});
}

}  // namespace hijack
