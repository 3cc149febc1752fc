#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "src/base/image.h"
#include "src/base/round_trips.h"

namespace hijack {
namespace {

using Color = std::array<uint8_t, 3>;

/// Pixels whose colors share an entry of the palette: positions from `begin` to `end` of the order.
struct ColorBox {
  size_t begin, end;
  size_t widest = 0;  ///< channel
  int spread = 0;     ///< of that channel
};

ColorBox measured_box(const std::vector<Color>& pixels, const std::vector<uint32_t>& order, size_t begin,
                      size_t end) {
  ColorBox box{begin, end};
  for (size_t channel = 0; channel < 3; ++channel) {
    int low = 255, high = 0;
    for (size_t i = begin; i < end; ++i) {
      low = std::min<int>(low, pixels[order[i]][channel]);
      high = std::max<int>(high, pixels[order[i]][channel]);
    }
    if (high - low > box.spread) box.widest = channel, box.spread = high - low;
  }
  return box;
}

/// Cuts the box with the widest spread at its median until there are enough.
std::vector<ColorBox> median_cut(const std::vector<Color>& pixels, std::vector<uint32_t>& order,
                                 size_t colors) {
  std::vector<ColorBox> boxes = {measured_box(pixels, order, 0, order.size())};
  while (boxes.size() < colors) {
    auto widest = std::max_element(boxes.begin(), boxes.end(),
                                   [](const ColorBox& a, const ColorBox& b) { return a.spread < b.spread; });
    if (widest->spread == 0) break;  // every color has an entry
    const ColorBox box = *widest;
    const auto value = [&](uint32_t pixel) { return pixels[pixel][box.widest]; };
    const auto first = order.begin();
    std::stable_sort(first + static_cast<std::ptrdiff_t>(box.begin),
                     first + static_cast<std::ptrdiff_t>(box.end),
                     [&](uint32_t a, uint32_t b) { return value(a) < value(b); });
    size_t middle = box.begin + (box.end - box.begin) / 2;
    // equal colors stay together
    const uint8_t at_middle = value(order[middle]);
    if (value(order[box.begin]) == at_middle)
      while (value(order[middle]) == at_middle) ++middle;
    else
      while (value(order[middle - 1]) == at_middle) --middle;
    *widest = measured_box(pixels, order, box.begin, middle);
    boxes.push_back(measured_box(pixels, order, middle, box.end));
  }
  return boxes;
}

/// bytes [3,H,W].
Tensor with_palette(const Tensor& bytes, size_t colors) {
  const Tensor rows = bytes.permute({1, 2, 0}).contiguous();
  std::vector<Color> pixels(static_cast<size_t>(rows.numel() / 3));
  std::memcpy(pixels.data(), rows.const_data_ptr<uint8_t>(), pixels.size() * 3);
  std::vector<uint32_t> order(pixels.size());
  std::iota(order.begin(), order.end(), 0);
  for (const ColorBox& box : median_cut(pixels, order, colors)) {
    std::array<size_t, 3> sum{};
    const size_t count = box.end - box.begin;
    for (size_t i = box.begin; i < box.end; ++i)
      for (size_t channel = 0; channel < 3; ++channel) sum[channel] += pixels[order[i]][channel];
    Color mean{};
    for (size_t channel = 0; channel < 3; ++channel)
      mean[channel] = static_cast<uint8_t>((sum[channel] + count / 2) / count);
    for (size_t i = box.begin; i < box.end; ++i) pixels[order[i]] = mean;
  }
  Tensor result = at::empty_like(rows);
  std::memcpy(result.mutable_data_ptr<uint8_t>(), pixels.data(), pixels.size() * 3);
  return result.permute({2, 0, 1});
}

}  // namespace

Tensor palette_round_trip(const Tensor& image, int64_t colors) {
  TORCH_CHECK(image.dim() == 4 && image.size(1) == 3 && image.numel() > 0, "a palette needs [N,3,H,W]");
  TORCH_CHECK(colors >= 2 && colors <= 256, "a palette of 2 to 256 colors");
  const Tensor bytes = to_bytes(image).cpu();
  std::vector<Tensor> reduced;
  for (int64_t i = 0; i < bytes.size(0); ++i)
    reduced.push_back(with_palette(bytes[i], static_cast<size_t>(colors)));
  return from_bytes(at::stack(reduced)).to(image.device());
}

}  // namespace hijack
