#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "src/base/error.h"
#include "src/base/tensor.h"

namespace hijack {

/// Another process of the group is gone, or has ended: nothing is wrong with this one. What is done so far is
/// worth saving.
class RankLost : public Failure {
 public:
  using Failure::Failure;
};

/// The processes that make one attack together, and this one's place among them. Each does the same steps on
/// the same image and computes its share of a step's contexts. Everything here is collective: every rank
/// calls it, in the same order, and waits for the others. Throws RankLost when one of them is gone, and
/// Failure when one sends what does not fit.
class Ranks {
 public:
  virtual ~Ranks() = default;
  virtual int64_t rank() const = 0;  ///< from 0; rank 0 alone writes files
  virtual int64_t size() const = 0;

  /// The sum over all ranks of values of one shape (float32 or float64, on the CPU), added up in the order of
  /// ranks in float64: the same bytes on each rank and in each repetition.
  virtual Tensor sum(const Tensor& own) = 0;
  /// What rank 0 says; what the others give is not looked at.
  virtual std::string from_first(const std::string& text) = 0;

  bool first() const { return rank() == 0; }
  /// Of `count` things in a row, the places [begin, end) that are this rank's: the shares of all ranks follow
  /// one another, and their sizes differ by one at most.
  std::pair<size_t, size_t> share(size_t count) const {
    const auto at = [&](int64_t rank) {
      return count * static_cast<size_t>(rank) / static_cast<size_t>(size());
    };
    return {at(rank()), at(rank() + 1)};
  }
};

/// Whether a process writes files: one alone, and of several rank 0.
inline bool writes_files(const std::shared_ptr<Ranks>& ranks) {
  return !ranks || ranks->first();
}

}  // namespace hijack
