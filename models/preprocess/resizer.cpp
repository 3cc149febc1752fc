#include "models/preprocess/resizer.h"

#include <ATen/ATen.h>

#include <charconv>
#include <cmath>
#include <tuple>

#include "models/preprocess/resampler.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/kept.h"
#include "src/base/registry.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

/// One direction of a resize: adds the weights of target position `i` to its row; `scale` = source / target.
using Weigh = void (*)(double* row, int64_t i, int64_t source, double scale);

int64_t clamped_place(int64_t position, int64_t source) {
  return std::clamp<int64_t>(position, 0, source - 1);
}

void weigh_nearest(double* row, int64_t i, int64_t source, double scale) {
  row[clamped_place(static_cast<int64_t>(std::floor(static_cast<double>(i) * scale)), source)] = 1;
}

void weigh_nearest_center(double* row, int64_t i, int64_t source, double scale) {
  row[clamped_place(static_cast<int64_t>(std::floor((static_cast<double>(i) + .5) * scale)), source)] = 1;
}

void weigh_bilinear(double* row, int64_t i, int64_t source, double scale) {
  const double center = (static_cast<double>(i) + .5) * scale - .5, floor = std::floor(center);
  const auto first = static_cast<int64_t>(floor);
  row[clamped_place(first, source)] += 1 - (center - floor);  // beyond the edge its pixel is repeated
  row[clamped_place(first + 1, source)] += center - floor;
}

void weigh_bicubic(double* row, int64_t i, int64_t source, double scale) {
  constexpr double a = -.75;
  const double center = (static_cast<double>(i) + .5) * scale - .5, floor = std::floor(center);
  const double x = center - floor;
  const double before = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a;
  const double left = ((a + 2) * x - (a + 3)) * x * x + 1;
  const double right = ((a + 2) * (1 - x) - (a + 3)) * (1 - x) * (1 - x) + 1;
  const auto first = static_cast<int64_t>(floor);
  const double taps[] = {before, left, right, 1 - before - left - right};
  for (int64_t k = 0; k < 4; ++k) row[clamped_place(first - 1 + k, source)] += taps[k];
}

/// Each source pixel counts by the share of it that the target's window covers.
void weigh_area(double* row, int64_t i, int64_t source, double scale) {
  const double begin = static_cast<double>(i) * scale;
  const double end = std::min(begin + scale, static_cast<double>(source));
  for (auto j = static_cast<int64_t>(begin); j < source && static_cast<double>(j) < end; ++j) {
    const auto left = static_cast<double>(j);
    const double covered = std::min(left + 1, end) - std::max(left, begin);
    if (covered > 0) row[j] += covered / (end - begin);
  }
}

/// What cv::resize takes for area where a side grows: two pixels, and mostly one of them alone.
void weigh_area_growing(double* row, int64_t i, int64_t source, double scale) {
  const auto first = static_cast<int64_t>(std::floor(static_cast<double>(i) * scale));
  double share = static_cast<double>(i + 1) - static_cast<double>(first + 1) / scale;
  share = share <= 0 ? 0 : share - std::floor(share);
  row[clamped_place(first, source)] += 1 - share;
  row[clamped_place(first + 1, source)] += share;
}

/// [target, source], of a dtype and on a device; those used last are kept there.
Tensor weight_matrix(Weigh weigh, int64_t source, int64_t target, const at::TensorOptions& options) {
  using Key = std::tuple<Weigh, int64_t, int64_t, at::ScalarType, at::DeviceType, at::DeviceIndex>;
  constexpr int64_t kMostNumbers = int64_t{1} << 22;
  static auto& kept = *new Kept<Key, Tensor>(kMostNumbers);  // a GPU's runtime may be gone before it
  const at::Device device = options.device();
  const Key key{weigh,         source,        target, c10::typeMetaToScalarType(options.dtype()),
                device.type(), device.index()};
  if (const auto found = kept.find(key)) return *found;
  const Tensor weights = at::zeros({target, source}, at::kDouble);
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  for (int64_t i = 0; i < target; ++i)
    weigh(weights.mutable_data_ptr<double>() + i * source, i, source, scale);
  const Tensor made = uploaded(weights, options);
  kept.keep(key, made, made.numel());
  return made;
}

/// Rounded and cut off to the lattice, with the gradient of the value before.
Tensor on_lattice_straight_through(const Tensor& value) {
  return value + (quantize(value.detach().clamp(0, 1)) - value.detach());
}

Tensor by_weights(Weigh weigh, const Tensor& image, int64_t height, int64_t width) {
  const auto options = image.options();
  const Tensor rows = weight_matrix(weigh, image.size(2), height, options);    // [h,H]
  const Tensor columns = weight_matrix(weigh, image.size(3), width, options);  // [w,W]
  return on_lattice_straight_through(at::matmul(at::matmul(rows, image), columns.t()));
}

template <Weigh weigh>
Tensor without_antialiasing(const Tensor& image, int64_t height, int64_t width) {
  return by_weights(weigh, image, height, width);
}

template <Filter filter>
Tensor antialiased(const Tensor& image, int64_t height, int64_t width) {
  return resize_image(image, height, width, filter);
}

Tensor opencv_linear(const Tensor& image, int64_t height, int64_t width) {
  const bool halves = image.size(2) == 2 * height && image.size(3) == 2 * width;
  return by_weights(halves ? weigh_area : weigh_bilinear, image, height, width);
}

Tensor opencv_area(const Tensor& image, int64_t height, int64_t width) {
  const bool grows = height > image.size(2) || width > image.size(3);
  return by_weights(grows ? weigh_area_growing : weigh_area, image, height, width);
}

struct ResizerKind {
  const char* name;
  Tensor (*resize)(const Tensor& image, int64_t height, int64_t width);
};
const Registry<ResizerKind> kResizers("filter",
                                      {{"nearest", without_antialiasing<weigh_nearest>},
                                       {"bilinear", opencv_linear},
                                       {"bicubic", without_antialiasing<weigh_bicubic>},
                                       {"area", opencv_area},
                                       {"pillow-nearest", without_antialiasing<weigh_nearest_center>},
                                       {"pillow-box", antialiased<Filter::kBox>},
                                       {"pillow-bilinear", antialiased<Filter::kBilinear>},
                                       {"pillow-bicubic", antialiased<Filter::kBicubic>},
                                       {"pillow-lanczos", antialiased<Filter::kLanczos>}});

}  // namespace

std::vector<std::string> resizer_names() {
  return kResizers.names();
}

Size2d parse_size(const std::string& text) {
  constexpr int64_t kLongest = 4096;
  const size_t times = text.find('x');
  const auto side = [&](const std::string& part) {
    int64_t value = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    if (error != std::errc{} || end != part.data() + part.size() || value < 1 || value > kLongest)
      throw Error("a size is written like 512 or 640x480 (width x height, from 1 to 4096), not '" +
                  text.substr(0, 40) + "'.");
    return value;
  };
  if (times == std::string::npos) return {side(text), side(text)};
  return {side(text.substr(times + 1)), side(text.substr(0, times))};
}

std::string size_text(const Size2d& size) {
  return std::to_string(size.width) + "x" + std::to_string(size.height);
}

Tensor resize_as(const std::string& name, const Tensor& image, int64_t height, int64_t width) {
  const ResizerKind& kind = kResizers.at(name);
  if (image.size(2) == height && image.size(3) == width) return image;
  return kind.resize(image, height, width);
}

}  // namespace hijack
