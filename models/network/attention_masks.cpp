#include "models/network/attention_masks.h"

namespace hijack {

AttentionMasks::AttentionMasks(Tensor causal, Tensor queries, Tensor keys, Tensor blocks, const Tensor& like)
    : causal_(std::move(causal)),
      queries_(std::move(queries)),
      keys_(std::move(keys)),
      blocks_(std::move(blocks)),
      options_(like.options().requires_grad(false)),
      longest_(queries_.numel() == 0 ? 0 : queries_.max().item<int64_t>() + 1) {}

AttentionMasks AttentionMasks::of_sequence(int64_t past, int64_t count, std::span<const TokenBlock> blocks,
                                           const Tensor& like) {
  const Tensor keys = at::arange(past + count, at::kLong), queries = keys.narrow(0, past, count);
  Tensor together;
  for (const TokenBlock& block : blocks) {
    TORCH_CHECK(block.begin >= past && block.end <= past + count, "a block is cut by the pass");
    if (!together.defined()) together = at::zeros({count, past + count}, at::kBool);
    const int64_t size = block.end - block.begin;
    together.narrow(0, block.begin - past, size).narrow(1, block.begin, size).fill_(true);
  }
  return {keys <= queries.unsqueeze(1), queries, keys, together, like};
}

const Tensor& AttentionMasks::of(const AttentionRule& rule) {
  const bool cut = rule.window > 0 && rule.window < longest_;
  Tensor& made = made_[{cut ? rule.window : 0, cut && rule.blocks_leave_window}];
  if (made.defined()) return made;
  Tensor seen = causal_;
  if (blocks_.defined() && !(cut && rule.blocks_leave_window)) seen = seen.logical_or(blocks_);
  if (cut) seen = seen.logical_and(keys_ > (queries_ - rule.window).unsqueeze(1));
  if (blocks_.defined() && cut && rule.blocks_leave_window) seen = seen.logical_or(blocks_);
  made = at::zeros(seen.sizes(), options_)
             .masked_fill_(seen.logical_not().to(options_.device()), -INFINITY)
             .unsqueeze(0)
             .unsqueeze(0);
  return made;
}

}  // namespace hijack
