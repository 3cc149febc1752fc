#include "models/network/attention_masks.h"

#include <mutex>

#include "src/base/kept.h"
#include "src/base/upload.h"

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

std::shared_ptr<AttentionMasks> AttentionMasks::kept_of_sequence(int64_t past, int64_t count,
                                                                 std::span<const TokenBlock> blocks,
                                                                 const Tensor& like) {
  using Key =
      std::tuple<int64_t, int64_t, std::vector<int64_t>, at::ScalarType, at::DeviceType, at::DeviceIndex>;
  static auto& kept = *new Kept<Key, std::shared_ptr<AttentionMasks>>(kMaskRoom);
  std::vector<int64_t> ends;
  for (const TokenBlock& block : blocks) ends.insert(ends.end(), {block.begin, block.end});
  const Key key{
      past, count, std::move(ends), like.scalar_type(), like.device().type(), like.device().index()};
  if (const auto found = kept.find(key)) return *found;
  auto masks = std::make_shared<AttentionMasks>(of_sequence(past, count, blocks, like));
  kept.keep(key, masks, count * (past + count));
  return masks;
}

Tensor AttentionMasks::made(const AttentionRule& rule, bool cut) const {
  Tensor seen = causal_;
  if (blocks_.defined() && !(cut && rule.blocks_leave_window)) seen = seen.logical_or(blocks_);
  if (cut) seen = seen.logical_and(keys_ > (queries_ - rule.window).unsqueeze(1));
  if (blocks_.defined() && cut && rule.blocks_leave_window) seen = seen.logical_or(blocks_);
  return at::zeros(seen.sizes(), options_)
      .masked_fill_(uploaded(seen.logical_not(), options_.dtype(at::kBool)), -INFINITY)
      .unsqueeze(0)
      .unsqueeze(0);
}

Tensor AttentionMasks::of(const AttentionRule& rule, int64_t times) {
  static std::mutex mutex;
  const std::scoped_lock lock(mutex);
  const bool cut = rule.window > 0 && rule.window < longest_;
  const auto kept = [&](int64_t often) -> Tensor& {
    return made_[{cut ? rule.window : 0, cut && rule.blocks_leave_window, often}];
  };
  Tensor& once = kept(1);
  if (!once.defined()) once = made(rule, cut);
  if (times == 1) return once;
  Tensor& repeated = kept(times);
  if (!repeated.defined()) repeated = once.repeat({1, 1, times, 1});
  return repeated;
}

}  // namespace hijack
