#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "models/preprocess/resampler.h"

namespace hijack {

/// Fraction bits of the integer weights: 32 - 8 bits of a pixel - 2 bits for sums beyond it.
inline constexpr int kWeightBits = 32 - 8 - 2;

/// The weights of one direction of a resize, as PIL's Resample.c computes them: each of target positions is a
/// weighted sum of `count` neighbors beginning at `first`; the weights of a position sum to 1.
class FilterWeights {
 public:
  struct Taps {
    int64_t first, count;
    const int32_t* integers;  ///< weight * 2^kWeightBits, rounded
    const double* reals;
  };
  int64_t numbers() const { return static_cast<int64_t>(reals_.size()); }
  Taps taps(int64_t position) const {
    const auto [first, begin, end] = spans_[static_cast<size_t>(position)];
    return {first, static_cast<int64_t>(end - begin), integers_.data() + begin, reals_.data() + begin};
  }

 private:
  friend FilterWeights computed_weights(int64_t source, int64_t target, Filter filter);
  struct Span {
    int64_t first;
    size_t begin, end;  // in the weights
  };
  std::vector<Span> spans_;
  std::vector<int32_t> integers_;
  std::vector<double> reals_;
};

/// From `source` to `target` pixels, both positive. Those used last are kept.
std::shared_ptr<const FilterWeights> filter_weights(int64_t source, int64_t target, Filter filter);

}  // namespace hijack
