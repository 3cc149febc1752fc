#pragma once
#include <memory>
#include <span>
#include <vector>

#include "models/network/attention.h"
#include "models/prefix/shared_prefix.h"

// Replies while they grow, token by token, with the keys and values of all before. Shapes: N replies that go
// on, V vocabulary.

namespace hijack {

class GrowingReplies {
 public:
  virtual ~GrowingReplies() = default;
  /// Float32 [N,V], of the next token of each reply.
  virtual Tensor logits() const = 0;
  /// How many more tokens a reply can read.
  virtual int64_t room() const = 0;
  /// Of the N replies these go on, ascending, each with the token that it reads.
  virtual void read(const std::vector<int64_t>& rows, const TokenIds& tokens) = 0;
};

/// Replies to prompts that share a prefix; most: tokens of a reply. Keeps a reference to the decoder.
std::unique_ptr<GrowingReplies> begin_group(const Decoder& decoder, std::span<const Prompt> prompts,
                                            const PromptGroup& group, PrefixMemo* memo, int64_t most);

/// Replies to any prompts, in their order.
std::unique_ptr<GrowingReplies> begin_replies(const Decoder& decoder, std::span<const Prompt> prompts,
                                              PrefixMemo* memo, int64_t most);

/// The same replies, grown by several at once: their logits are the weighted sum of the parts'.
std::unique_ptr<GrowingReplies> mixed_replies(std::vector<std::unique_ptr<GrowingReplies>> parts,
                                              std::vector<double> weights);

}  // namespace hijack
