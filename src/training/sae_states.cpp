#include "src/training/sae_states.h"

#include <ATen/ATen.h>

#include "src/base/error.h"
#include "src/base/random.h"

namespace hijack {
namespace {

constexpr int64_t kMostBytes = int64_t{4} << 30;
constexpr int64_t kFewestTokens = 64;

class StoredStates : public SaeStates {
 public:
  StoredStates(const std::vector<std::string>& files, uint64_t seed) : seed_(seed) {
    const ActivationSet set(std::vector<std::filesystem::path>(files.begin(), files.end()));
    source_ = set.source();
    split(set.all_rows(kMostBytes));
  }
  const ActivationSource& source() const override { return source_; }
  Tensor first() const override { return train_; }
  Tensor held_out() const override { return held_out_; }
  Tensor batch(int64_t step, int64_t size) override { return drawn_states(train_, seed_, step, size); }
  std::string identity() const override { return std::to_string(train_.size(0)); }

 private:
  void split(const ActivationRows& rows) {
    check_enough_tokens(rows.size());
    constexpr int64_t kTenth = 10;
    const bool by_prompt =
        static_cast<int64_t>(source_.contexts.size()) >= kTenth && rows.context.max().item<int64_t>() > 0;
    const Tensor key = by_prompt ? rows.context : at::arange(rows.size(), at::kLong);
    const Tensor held = (key.remainder(kTenth) == kTenth - 1);
    train_ = rows.states.index_select(0, held.logical_not().nonzero().squeeze(1));
    held_out_ = rows.states.index_select(0, held.nonzero().squeeze(1));
    if (held_out_.size(0) == 0) held_out_ = train_;
  }

  uint64_t seed_;
  ActivationSource source_;
  Tensor train_, held_out_;  // [n,D]
};

}  // namespace

std::unique_ptr<SaeStates> stored_states(const std::vector<std::string>& files, uint64_t seed) {
  return std::make_unique<StoredStates>(files, seed);
}

Tensor drawn_states(const Tensor& states, uint64_t seed, int64_t step, int64_t size) {
  Random random = Random(seed).fork("batch", static_cast<uint64_t>(step));
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < size; ++i) rows.push_back(random.below(states.size(0)));
  return states.index_select(0, at::tensor(rows, at::kLong));
}

void check_enough_tokens(int64_t tokens) {
  if (tokens >= kFewestTokens) return;
  throw Error("there are " + std::to_string(tokens) +
              " tokens; a sparse autoencoder is trained on at least " + std::to_string(kFewestTokens) +
              ", and better on thousands.");
}

}  // namespace hijack
