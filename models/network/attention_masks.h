#pragma once
#include <map>
#include <span>
#include <utility>

#include "models/network/attention.h"

// Masks of a pass over several tokens as the kernels want them: added to the scores.

namespace hijack {

/// What queries see of keys, for every rule that layers of a decoder have; each mask is made once.
class AttentionMasks {
 public:
  AttentionMasks() = default;
  /// causal: bool [L,L'], what queries see without window and blocks. queries int64 [L], keys int64 [L']: the
  /// place of each in its sequence, by which windows are measured. blocks: bool [L,L'], pairs that are in one
  /// block, or undefined. like: for dtype and device.
  AttentionMasks(Tensor causal, Tensor queries, Tensor keys, Tensor blocks, const Tensor& like);
  /// A sequence's tokens [past, past + count) as queries, [0, past + count) as keys.
  static AttentionMasks of_sequence(int64_t past, int64_t count, std::span<const TokenBlock> blocks,
                                    const Tensor& like);

  /// [1,1,L,L'], 0 where seen and -inf elsewhere.
  const Tensor& of(const AttentionRule& rule);

 private:
  Tensor causal_, queries_, keys_, blocks_;
  at::TensorOptions options_;
  int64_t longest_ = 0;                              // the largest distance that is seen
  std::map<std::pair<int64_t, bool>, Tensor> made_;  // by window (0: none) and whether blocks leave it
};

}  // namespace hijack
