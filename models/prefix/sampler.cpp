#include "models/prefix/sampler.h"

#include <algorithm>
#include <numeric>

#include "src/base/upload.h"

namespace hijack {
namespace {

constexpr size_t kSortedAtFirst = 64;  // most draws end among so few
constexpr int64_t kReadAtFirst = 256;  // of a row on a GPU

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

namespace {

/// All probabilities of a row.
class WholeRow {
 public:
  explicit WholeRow(std::span<const float> values) : values_(values), largest_(values) {}
  size_t size() const { return values_.size(); }
  bool knows(size_t) const { return true; }
  TokenId id(size_t rank) { return largest_.at(rank); }
  double p(size_t rank) { return values_[static_cast<size_t>(largest_.at(rank))]; }
  double all() const {
    double mass = 0;
    for (const float one : values_) mass += one;  // in whatever order
    return mass;
  }

 private:
  std::span<const float> values_;
  LargestFirst largest_;
};

/// The likeliest alone; which of those as likely as the last would come first is not known.
class LikeliestOnly {
 public:
  explicit LikeliestOnly(const LikelyTokens& row) : row_(row) {
    std::sort(row_.tokens.begin(), row_.tokens.end(), [](const auto& a, const auto& b) {
      return a.first != b.first ? a.first > b.first : a.second < b.second;
    });
    known_ = row_.tokens.size();
    if (known_ == row_.vocabulary) return;
    while (known_ > 0 && row_.tokens[known_ - 1].first <= row_.tokens.back().first) --known_;
  }
  size_t size() const { return row_.vocabulary; }
  bool knows(size_t rank) const { return rank < known_; }
  TokenId id(size_t rank) const { return row_.tokens[rank].second; }
  double p(size_t rank) const { return row_.tokens[rank].first; }
  double all() const { return row_.all; }

 private:
  LikelyTokens row_;
  size_t known_ = 0;
};

/// Nothing where the row does not know enough.
template <class Row>
std::optional<TokenId> drawn(Row row, double top_p, int64_t top_k, double draw) {
  size_t n = row.size();
  double wanted = top_p;
  if (top_k > 0 && top_k < static_cast<int64_t>(n)) {
    n = static_cast<size_t>(top_k);  // top_p is a share of what it leaves, as in transformers
    if (!row.knows(n - 1)) return {};
    double left = 0;
    for (size_t rank = 0; rank < n; ++rank) left += row.p(rank);
    wanted *= left;
  }
  size_t kept = n;
  double mass = 0;
  if (n == row.size() && wanted >= 1) {
    mass = row.all();
  } else {
    for (kept = 0; kept < n && (kept == 0 || mass < wanted);) {
      if (!row.knows(kept)) return {};
      mass += row.p(kept++);
    }
  }
  double left = draw * mass;
  size_t choice = 0;
  for (; row.knows(choice); ++choice)
    if (choice + 1 >= kept || (left -= row.p(choice)) < 0) return row.id(choice);
  return {};
}

}  // namespace

TokenId drawn_token(std::span<const float> probability, double top_p, int64_t top_k, double draw) {
  return *drawn(WholeRow(probability), top_p, top_k, draw);
}

std::optional<TokenId> drawn_token(const LikelyTokens& row, double top_p, int64_t top_k, double draw) {
  return drawn(LikeliestOnly(row), top_p, top_k, draw);
}

std::vector<LikelyTokens> likely_tokens(const Tensor& probability, int64_t most) {
  const int64_t rows = probability.size(0), vocabulary = probability.size(1);
  const int64_t count = std::min(most, vocabulary);
  const auto [values, ids] = probability.topk(count, -1, /*largest=*/true, /*sorted=*/false);
  const Tensor all = probability.sum({-1}, /*keepdim=*/true, at::kDouble);
  const auto read = read_numbers(at::cat({values.to(at::kDouble), ids.to(at::kDouble), all}, 1).flatten());
  std::vector<LikelyTokens> found;
  for (int64_t row = 0; row < rows; ++row) {
    const double* const numbers = read.data() + row * (2 * count + 1);
    LikelyTokens& one =
        found.emplace_back(LikelyTokens{{}, static_cast<size_t>(vocabulary), numbers[2 * count]});
    for (int64_t i = 0; i < count; ++i)
      one.tokens.emplace_back(static_cast<float>(numbers[i]), static_cast<TokenId>(numbers[count + i]));
  }
  return found;
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
  std::vector<double> draws;
  for (const size_t row : rows) draws.push_back(streams_[row].uniform());
  const Tensor probability = (logits / options_.temperature).softmax(-1);
  return logits.is_cpu() ? by_rows(probability, draws) : by_likeliest(probability, draws);
}

std::vector<TokenId> Sampler::by_rows(const Tensor& probability, const std::vector<double>& draws) const {
  const Tensor here = probability.cpu().contiguous();
  const auto size = static_cast<size_t>(here.size(1));
  const float* const all = here.const_data_ptr<float>();
  std::vector<TokenId> ids;
  for (size_t i = 0; i < draws.size(); ++i)
    ids.push_back(drawn_token({all + i * size, size}, options_.top_p, options_.top_k, draws[i]));
  return ids;
}

std::vector<TokenId> Sampler::by_likeliest(const Tensor& probability,
                                           const std::vector<double>& draws) const {
  for (int64_t most = kReadAtFirst; most < probability.size(1) / 4; most *= 8) {
    const auto likely = likely_tokens(probability, most);
    std::vector<TokenId> ids;
    for (size_t i = 0; i < draws.size() && ids.size() == i; ++i)
      if (const auto id = drawn_token(likely[i], options_.top_p, options_.top_k, draws[i]))
        ids.push_back(*id);
    if (ids.size() == draws.size()) return ids;
  }
  return by_rows(probability, draws);
}

}  // namespace hijack
