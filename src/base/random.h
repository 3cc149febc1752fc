#pragma once
#include <ATen/core/Generator.h>

#include <cstdint>
#include <string_view>

#include "src/base/tensor.h"

namespace hijack {

/// Seeded random numbers (xoshiro256** seeded by splitmix64), equal on every platform for the integer and
/// uniform draws; tensors are filled from the same stream. No global state.
class Random {
 public:
  explicit Random(uint64_t seed);

  /// An independent stream for a named purpose: the order of draws elsewhere does not change it.
  Random fork(std::string_view purpose, uint64_t index = 0) const;
  /// The seed of that stream: Random(fork_seed(purpose, index)) draws what fork(purpose, index) does.
  uint64_t fork_seed(std::string_view purpose, uint64_t index = 0) const;

  uint64_t bits();
  int64_t below(int64_t n);                      ///< uniform in [0, n), n > 0
  int64_t between(int64_t first, int64_t last);  ///< uniform in [first, last]
  double uniform();                              ///< [0, 1)
  double uniform(double low, double high);
  double normal();
  bool chance(double probability);
  template <class Container>
  const auto& pick(const Container& items) {
    return items[static_cast<size_t>(below(static_cast<int64_t>(items.size())))];
  }
  template <class Container>
  void shuffle(Container& items) {
    for (size_t i = items.size(); i > 1; --i)
      std::swap(items[i - 1], items[static_cast<size_t>(below(static_cast<int64_t>(i)))]);
  }

  /// CPU tensors, float32.
  Tensor uniform_tensor(at::IntArrayRef shape, double low, double high);
  Tensor normal_tensor(at::IntArrayRef shape);

  /// The full state, for resuming.
  std::string state() const;
  void restore(std::string_view state);

 private:
  uint64_t seed_;
  uint64_t words_[4];
};

}  // namespace hijack
