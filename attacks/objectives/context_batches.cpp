#include "attacks/objectives/context_batches.h"

#include <numeric>

#include "src/base/error.h"
#include "src/base/random.h"

namespace hijack {

ContextBatches::ContextBatches(size_t count, int64_t batch, uint64_t seed)
    : count_(static_cast<int64_t>(count)), batch_(batch), seed_(seed) {
  if (count_ == 0) throw Error("there are no contexts to optimize on: give at least one training context.");
  if (batch_ < 0) throw Error("the number of contexts per step must be at least 0 (0 = all of them).");
}

std::vector<size_t> ContextBatches::at(int64_t step) const {
  std::vector<size_t> order(static_cast<size_t>(count_));
  std::iota(order.begin(), order.end(), size_t{0});
  if (all()) return order;
  const int64_t per_epoch = count_ / batch_;
  Random(seed_).fork("context batches", static_cast<uint64_t>(step / per_epoch)).shuffle(order);
  const auto first = order.begin() + (step % per_epoch) * batch_;
  return {first, first + batch_};
}

}  // namespace hijack
