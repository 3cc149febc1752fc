#pragma once
#include <cstdint>
#include <vector>

namespace hijack {

/// Which contexts a step uses: `batch` of them without replacement, epoch by epoch; 0 or >= count uses all of
/// them each step. Where batch does not divide the number of contexts, the rest of an epoch is left out, so
/// that a batch never holds a context twice. A pure function of (seed, step).
class ContextBatches {
 public:
  /// Throws Error when there are no contexts or batch is negative.
  ContextBatches(size_t count, int64_t batch, uint64_t seed);
  std::vector<size_t> at(int64_t step) const;
  /// Contexts of a step.
  size_t of_step() const { return static_cast<size_t>(all() ? count_ : batch_); }
  bool all() const { return batch_ == 0 || batch_ >= count_; }

 private:
  int64_t count_;
  int64_t batch_;
  uint64_t seed_;
};

}  // namespace hijack
