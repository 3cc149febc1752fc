#pragma once
#include <map>
#include <memory>
#include <span>
#include <tuple>
#include <utility>

#include "models/network/attention.h"

// Masks of a pass over several tokens as the kernels want them: added to the scores.

namespace hijack {

/// Numbers of all masks that are kept from step to step, 16 MB in float32.
inline constexpr int64_t kMaskRoom = int64_t{1} << 22;

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

  /// The same, kept for those asked for last, which a step asks for again.
  static std::shared_ptr<AttentionMasks> kept_of_sequence(int64_t past, int64_t count,
                                                          std::span<const TokenBlock> blocks,
                                                          const Tensor& like);

  /// [1,1,times*L,L'], 0 where seen and -inf elsewhere; the rows of all L queries once after another. Safe to
  /// use from several threads.
  Tensor of(const AttentionRule& rule, int64_t times = 1);

 private:
  Tensor made(const AttentionRule& rule, bool cut) const;

  Tensor causal_, queries_, keys_, blocks_;
  at::TensorOptions options_;
  int64_t longest_ = 0;  // the largest distance that is seen
  // by window (0: none), whether blocks leave it, and times
  std::map<std::tuple<int64_t, bool, int64_t>, Tensor> made_;
};

}  // namespace hijack
