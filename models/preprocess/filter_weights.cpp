#include "models/preprocess/filter_weights.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <tuple>

#include "src/base/kept.h"

namespace hijack {
namespace {

// Operation by operation as in Pillow's src/libImaging/Resample.c: the last bit of a weight can decide a
// pixel.
double bicubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x = x * std::numbers::pi;
  return std::sin(x) / x;
}

double filter_value(Filter filter, double x) {
  switch (filter) {
    case Filter::kBox:
      return x > -0.5 && x <= 0.5 ? 1.0 : 0.0;
    case Filter::kBilinear:
      return std::abs(x) < 1.0 ? 1.0 - std::abs(x) : 0.0;
    case Filter::kBicubic:
      return bicubic(x);
    case Filter::kLanczos:
      return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0;
  }
  return 0.0;
}

double filter_support(Filter filter) {
  switch (filter) {
    case Filter::kBox:
      return 0.5;
    case Filter::kBilinear:
      return 1.0;
    case Filter::kBicubic:
      return 2.0;
    case Filter::kLanczos:
      return 3.0;
  }
  return 0.0;
}

}  // namespace

FilterWeights computed_weights(int64_t source, int64_t target, Filter filter) {
  const double scale = static_cast<double>(source) / static_cast<double>(target);
  const double filter_scale = std::max(scale, 1.0);
  const double support = filter_support(filter) * filter_scale, step = 1.0 / filter_scale;
  FilterWeights weights;
  for (int64_t position = 0; position < target; ++position) {
    const double center = (static_cast<double>(position) + 0.5) * scale;
    const auto first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const auto last = std::min<int64_t>(source, static_cast<int64_t>(center + support + 0.5));
    const size_t begin = weights.reals_.size();
    double sum = 0.0;
    for (int64_t i = first; i < last; ++i) {
      const double value = filter_value(filter, (static_cast<double>(i) - center + 0.5) * step);
      weights.reals_.push_back(value);
      sum += value;
    }
    for (size_t i = begin; i < weights.reals_.size(); ++i) {
      if (sum != 0.0) weights.reals_[i] /= sum;
      const double scaled = weights.reals_[i] * (1 << kWeightBits);
      weights.integers_.push_back(static_cast<int32_t>(scaled < 0 ? -0.5 + scaled : 0.5 + scaled));
    }
    weights.spans_.push_back({first, begin, weights.reals_.size()});
  }
  return weights;
}

std::shared_ptr<const FilterWeights> filter_weights(int64_t source, int64_t target, Filter filter) {
  using Key = std::tuple<int64_t, int64_t, Filter>;
  constexpr int64_t kMostNumbers = int64_t{1} << 18;
  static Kept<Key, std::shared_ptr<const FilterWeights>> kept(kMostNumbers);
  const Key key{source, target, filter};
  if (const auto found = kept.find(key)) return *found;
  const auto made = std::make_shared<const FilterWeights>(computed_weights(source, target, filter));
  kept.keep(key, made, made->numbers());
  return made;
}

}  // namespace hijack
