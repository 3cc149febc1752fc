#pragma once
#include "models/network/shared_prefix_plan.h"
#include "models/prefix/prefix_memo.h"
#include "models/prefix/shared_prefix.h"

// The two passes of shared_prefix.h: the prefix of a group of prompts, and what follows it.

namespace hijack {

/// Throws Error when prompt + `target` tokens exceed the decoder's positions, or an id has no embedding.
void check_prompt(const Decoder& decoder, const Prompt& prompt, const TokenIds& target, size_t room);

/// What tokens [begin,end) of a prompt are.
std::vector<TokenKind> kinds_of(const Prompt& prompt, size_t begin, size_t end);

/// int64 [n] on the device.
Tensor ids_tensor(std::span<const TokenId> ids, at::Device device);

/// Keys and values of the first `tokens` tokens, from the memo (which may be null) as far as they stay the
/// same from call to call.
KeyValues run_prefix(const Decoder& decoder, const Prompt& prompt, size_t tokens, PrefixMemo* memo);

/// The same, with a row for each of several prompts that differ in nothing but the features of their images.
KeyValues run_prefixes(const Decoder& decoder, std::span<const Prompt* const> prompts, size_t tokens,
                       PrefixMemo* memo);

/// Hidden states [1,end,D] of the first `end` tokens of a prompt after the decoder's first `layer` blocks (0:
/// their embeddings). Throws Error as check_prompt does.
Tensor prompt_states(const Decoder& decoder, const Prompt& prompt, size_t end, int64_t layer);

/// What comes after the prefix in the members of a group: the rest of the prompt, then the target without its
/// last token, which predicts nothing that is asked for. Where the members begin alike (candidates that
/// differ in one token), the tokens they share are packed once.
struct PackedSuffixes {
  PackedTokens tokens;
  DecoderInput input;
  std::vector<std::vector<int64_t>> paths;  ///< per member: where its tokens are packed

  /// targets: one per prompt, or none.
  PackedSuffixes(const Decoder& decoder, std::span<const Prompt> prompts, std::span<const TokenIds> targets,
                 const PromptGroup& group);

  /// Which packed tokens predict the members' targets, R of them, and how many each member's.
  std::pair<std::vector<int64_t>, std::vector<int64_t>> read_by(
      std::span<const TokenIds> targets_of_members) const;
};

}  // namespace hijack
