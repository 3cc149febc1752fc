#include "models/prefix/sampler.h"

#include <algorithm>
#include <numeric>

namespace hijack {
namespace {

constexpr size_t kSortedAtFirst = 64;  // most draws end among so few

/// Numbers by size, the largest first, sorted as far as they are asked for.
class LargestFirst {
 public:
  explicit LargestFirst(std::span<const float> values) : values_(values), order_(values.size()) {
    std::iota(order_.begin(), order_.end(), int32_t{0});
  }
  /// The index of the value of this rank.
  int32_t at(size_t rank) {
    while (rank >= sorted_) sort_more();
    return order_[rank];
  }

 private:
  void sort_more() {
    const auto before = [&](int32_t a, int32_t b) {
      const float one = values_[static_cast<size_t>(a)], other = values_[static_cast<size_t>(b)];
      return one != other ? one > other : a < b;
    };
    const size_t end = std::min(order_.size(), std::max(kSortedAtFirst, 8 * sorted_));
    const auto at = [&](size_t i) { return order_.begin() + static_cast<std::ptrdiff_t>(i); };
    if (end < order_.size()) std::nth_element(at(sorted_), at(end), order_.end(), before);
    std::sort(at(sorted_), at(end), before);
    sorted_ = end;
  }

  std::span<const float> values_;
  std::vector<int32_t> order_;
  size_t sorted_ = 0;
};

}  // namespace

TokenId drawn_token(std::span<const float> probability, double top_p, int64_t top_k, double draw) {
  LargestFirst largest(probability);
  const auto p = [&](size_t rank) { return probability[static_cast<size_t>(largest.at(rank))]; };
  size_t n = probability.size();
  double wanted = top_p;
  if (top_k > 0 && top_k < static_cast<int64_t>(n)) {
    n = static_cast<size_t>(top_k);  // top_p is a share of what it leaves, as in transformers
    double left = 0;
    for (size_t rank = 0; rank < n; ++rank) left += p(rank);
    wanted *= left;
  }
  size_t kept = n;
  double mass = 0;
  if (n == probability.size() && wanted >= 1) {
    for (const float one : probability) mass += one;  // all of them, in whatever order
  } else {
    for (kept = 0; kept < n && (kept == 0 || mass < wanted);) mass += p(kept++);
  }
  double left = draw * mass;
  size_t choice = 0;
  while (choice + 1 < kept && (left -= p(choice)) >= 0) ++choice;
  return largest.at(choice);
}

Sampler::Sampler(const GenerateOptions& options, const std::vector<size_t>& members) : options_(options) {
  for (const size_t i : members)
    streams_.push_back(options.seeds.empty() ? Random(options.seed).fork("reply", i)
                                             : Random(options.seeds.at(i)));
}

std::vector<TokenId> Sampler::next(const Tensor& logits, const std::vector<size_t>& rows) {
  std::vector<TokenId> ids(rows.size());
  if (options_.temperature <= 0) {
    const Tensor best = logits.argmax(-1).cpu();
    for (size_t i = 0; i < rows.size(); ++i) ids[i] = best.data_ptr<int64_t>()[i];
    return ids;
  }
  const Tensor probability = (logits.cpu() / options_.temperature).softmax(-1).contiguous();
  const auto size = static_cast<size_t>(probability.size(1));
  const float* const all = probability.const_data_ptr<float>();
  for (size_t i = 0; i < rows.size(); ++i)
    ids[i] = drawn_token({all + i * size, size}, options_.top_p, options_.top_k, streams_[rows[i]].uniform());
  return ids;
}

}  // namespace hijack
