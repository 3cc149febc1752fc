#pragma once
#include "models/prefix/shared_prefix.h"
#include "models/state_hooks.h"

namespace hijack {

/// States at `hooks` of the chosen tokens of each prompt; replies[i] teacher-forced after it, or none at all.
/// The common prefix is computed once, and no block above the highest hook. Differentiable to the features.
/// Throws Error as shared_prefix_logits.
std::vector<TokenStates> shared_prefix_states(const Decoder& decoder, std::span<const Prompt> prompts,
                                              std::span<const TokenIds> replies, std::span<const Hook> hooks,
                                              TokenChoice tokens, PrefixMemo* memo = nullptr);

}  // namespace hijack
