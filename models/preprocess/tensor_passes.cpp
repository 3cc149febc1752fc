#include "models/preprocess/tensor_passes.h"

#include <ATen/ATen.h>

#include <tuple>

#include "models/preprocess/filter_weights.h"
#include "src/base/kept.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

/// What each of T results sums up, the k-th summand of all side by side: places [K,T] int64 in what is read,
/// weights [K,T]. Where a result has fewer, weights are 0.
struct Summands {
  Tensor places, weights;
};

/// (place, weight) of every result
template <class Weight>
using SummandLists = std::vector<std::vector<std::pair<int64_t, Weight>>>;

template <class Weight>
Summands side_by_side(const SummandLists<Weight>& lists, at::ScalarType type, at::Device device) {
  size_t most = 1;
  for (const auto& list : lists) most = std::max(most, list.size());
  const auto count = static_cast<int64_t>(lists.size());
  Tensor places = at::zeros({static_cast<int64_t>(most), count}, at::kLong);
  Tensor weights = at::zeros(places.sizes(), type);
  for (int64_t t = 0; t < count; ++t) {
    const auto& list = lists[static_cast<size_t>(t)];
    for (size_t k = 0; k < list.size(); ++k) {
      const int64_t at = static_cast<int64_t>(k) * count + t;
      places.mutable_data_ptr<int64_t>()[at] = list[k].first;
      weights.mutable_data_ptr<Weight>()[at] = list[k].second;
    }
  }
  return {uploaded(places, places.options().device(device)),
          uploaded(weights, weights.options().device(device))};
}

Summands forward_summands(int64_t source, int64_t target, Filter filter, at::Device device) {
  const auto weights = filter_weights(source, target, filter);
  SummandLists<int32_t> lists(static_cast<size_t>(target));
  for (int64_t x = 0; x < target; ++x) {
    const FilterWeights::Taps taps = weights->taps(x);
    for (int64_t i = 0; i < taps.count; ++i)
      lists[static_cast<size_t>(x)].emplace_back(taps.first + i, taps.integers[i]);
  }
  return side_by_side(lists, at::kInt, device);
}

Summands transposed_summands(int64_t source, int64_t target, Filter filter, at::Device device) {
  const auto weights = filter_weights(source, target, filter);
  SummandLists<float> lists(static_cast<size_t>(source));
  for (int64_t x = 0; x < target; ++x) {
    const FilterWeights::Taps taps = weights->taps(x);
    for (int64_t i = 0; i < taps.count; ++i)
      lists[static_cast<size_t>(taps.first + i)].emplace_back(x, static_cast<float>(taps.reals[i]));
  }
  return side_by_side(lists, at::kFloat, device);
}

Summands summands(bool transposed, int64_t source, int64_t target, Filter filter, at::Device device) {
  using Key = std::tuple<bool, int64_t, int64_t, int, int, int>;
  constexpr int64_t kMostNumbers = int64_t{1} << 23;
  static auto& kept = *new Kept<Key, Summands>(kMostNumbers);  // a GPU's runtime may be gone before it
  const Key key{transposed,    source, target, static_cast<int>(filter), static_cast<int>(device.type()),
                device.index()};
  if (const auto found = kept.find(key)) return *found;
  const Summands made = transposed ? transposed_summands(source, target, filter, device)
                                   : forward_summands(source, target, filter, device);
  kept.keep(key, made, 2 * made.places.numel());
  return made;
}

/// Sums over k of planes[.., places[k], ..] * weights[k] along dim, added to `sum` in the order of k. A
/// product and a sum, each rounded: what the loops compute.
Tensor added_up(Tensor sum, const Tensor& planes, int64_t dim, const Summands& of) {
  const std::vector<int64_t> shape =
      dim == 1 ? std::vector<int64_t>{1, -1, 1} : std::vector<int64_t>{1, 1, -1};
  for (int64_t k = 0; k < of.places.size(0); ++k)
    sum.add_(planes.index_select(dim, of.places[k]).mul_(of.weights[k].view(shape)));
  return sum;
}

std::vector<int64_t> with_side(const Tensor& planes, int64_t dim, int64_t side) {
  std::vector<int64_t> shape = planes.sizes().vec();
  shape[static_cast<size_t>(dim)] = side;
  return shape;
}

}  // namespace

ResizedPlanes resized_along(const Tensor& bytes, int64_t dim, int64_t target, Filter filter) {
  const Tensor planes = bytes.to(at::kInt);
  const Summands of = summands(false, planes.size(dim), target, filter, planes.device());
  const Tensor half = at::full(with_side(planes, dim, target), 1 << (kWeightBits - 1), planes.options());
  const Tensor sum = added_up(half, planes, dim, of);
  const Tensor value = at::bitwise_right_shift(sum, kWeightBits);
  return {value.clamp(0, 255).to(at::kByte), value.lt(0).logical_or(value.gt(255))};
}

Tensor transposed_along(const Tensor& gradient, int64_t dim, int64_t source, Filter filter) {
  const Summands of = summands(true, source, gradient.size(dim), filter, gradient.device());
  return added_up(at::zeros(with_side(gradient, dim, source), gradient.options()), gradient, dim, of);
}

}  // namespace hijack
