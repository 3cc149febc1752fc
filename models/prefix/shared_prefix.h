#pragma once
#include <span>
#include <string>
#include <vector>

#include "models/checkpoint/reply_rules.h"
#include "models/network/decoder.h"
#include "models/query.h"
#include "models/tokenizer.h"
#include "src/base/random.h"

// The engine under every family: one image, many contexts, the common prefix computed once.

namespace hijack {

class PrefixMemo;

/// One prompt as the decoder sees it: token ids in which the image's tokens have been expanded.
struct Prompt {
  TokenIds ids;
  std::vector<size_t> image_places = {};  ///< where image features stand, ascending; empty for text alone
  /// Of the image, [1,T_img,D]; undefined for text alone. Prompts that share an image hold the same tensor;
  /// those whose features are their own (InstructBLIP's depend on the question) share nothing of the decoder.
  Tensor features = {};
  /// Rotary positions, int64 [A,L] on the CPU with A = 1, or 3 for M-RoPE; undefined: 0, 1, 2, ... Prompts
  /// that begin with the same tokens must begin with the same positions.
  Tensor positions = {};
  /// Added to the embeddings of the tokens from shift_begin on, [n,D]: a place to take gradients at.
  Tensor shift = {};
  size_t shift_begin = 0;
  /// Tokens that see each other in both directions, ascending: PaliGemma's whole prompt, Gemma 3's image.
  /// Where prompts differ inside of a block, they do not share its beginning.
  std::vector<TokenBlock> blocks = {};

  /// One past the last image token; 0 without an image.
  size_t image_end() const { return image_places.empty() ? 0 : image_places.back() + 1; }
  /// Position of the token after the prompt: one more than the highest.
  int64_t next_position() const;
};

/// Prompts that agree up to the end of their image (or have none): `prefix` tokens are shared, which may be
/// none; each has at least one token of its own. No block is shared in part: its tokens' keys depend on
/// all of it. Prompts with features of their own share nothing from there on; they still run together.
struct PromptGroup {
  std::vector<size_t> members;
  size_t prefix = 0;
};
std::vector<PromptGroup> group_by_prefix(std::span<const Prompt> prompts);

/// As many of the first `tokens` tokens of both prompts as leave no block in two parts, and no block to one
/// of them alone.
size_t uncut_tokens(const Prompt& a, const Prompt& b, size_t tokens);

/// Part of a prompt as the decoder reads it.
struct EmbeddedPart {
  Tensor x;  ///< [1,L,D]
  DeepFeatures deep = {};
};
/// Token embeddings of ids[begin, end) with the image's features [1+S,T_img,D] put in at their places: the
/// first of each as its embedding, the others as what is added after the decoder's first S blocks. Throws
/// Error when there are more or fewer places than features.
EmbeddedPart embed_prompt(const Decoder& decoder, const Prompt& prompt, size_t begin, size_t end);

/// Float32 logits [T_i,V] that predict targets[i] after prompts[i]; differentiable to their features. Throws
/// Error when prompt + target exceed the decoder's positions. memo: what calls share, or
/// null; needs frozen weights.
std::vector<Tensor> shared_prefix_logits(const Decoder& decoder, std::span<const Prompt> prompts,
                                         std::span<const TokenIds> targets, PrefixMemo* memo = nullptr);

/// Replies of prompts[i], decoded together; without gradients.
std::vector<Generated> shared_prefix_generate(const Decoder& decoder, std::span<const Prompt> prompts,
                                              const Tokenizer& tokenizer, const ReplyRules& rules,
                                              const GenerateOptions& options, PrefixMemo* memo = nullptr);

/// The prompts of replies in one of several wordings, and how much it counts.
struct PromptBranch {
  double weight = 1;
  std::vector<Prompt> prompts;
};

/// Replies whose next token is chosen by the sum of weight * logits over the branches, each of which reads
/// the same reply behind its own prompts (keys and values of all are kept). What rules forbid to repeat is
/// what the first branch has read.
std::vector<Generated> mixed_prefix_generate(const Decoder& decoder, std::span<const PromptBranch> branches,
                                             const Tokenizer& tokenizer, const ReplyRules& rules,
                                             const GenerateOptions& options, PrefixMemo* memo = nullptr);

}  // namespace hijack
