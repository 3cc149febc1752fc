#pragma once
#include <functional>
#include <string>
#include <vector>

#include "src/base/tensor.h"

// Places between the layers of a decoder. Shapes: N batch, L tokens of a pass, D decoder width.

namespace hijack {

/// Where a decoder block's states are taken: the residual stream behind it (with what DeepStack adds there),
/// or what its attention or its MLP adds to the stream.
enum class HookPoint { kResidual, kMlp, kAttention };
/// "residual", "mlp", "attention".
std::vector<std::string> hook_point_names();
/// Throws Error, which names the nearest, for other names.
HookPoint hook_point_from_name(const std::string& name);
std::string hook_point_name(HookPoint point);

/// layer: of `layers` blocks the layer-th, from 1; of the residual stream also 0, what the decoder reads
/// (entry `layer` of transformers' hidden_states, whose last one is behind the final norm).
struct Hook {
  HookPoint point = HookPoint::kResidual;
  int64_t layer = 0;
  bool operator==(const Hook&) const = default;
};

/// Throws Error that says which layers there are.
void check_hook(const Hook& hook, int64_t layers);

/// Of a prompt: its image tokens; all other tokens of it; the last one, which predicts the reply. Of the
/// reply: its tokens, as they are read. All of prompt and reply.
enum class TokenChoice { kImage, kPrompt, kLast, kReply, kAll };

/// What a token of a pass is to its conversation.
enum class TokenKind { kImage, kText, kLast, kReply };
/// kPrompt is kText and kLast.
bool is_chosen(TokenKind kind, TokenChoice choice);

/// Puts other states in the place of those at a hook: [N,L,D] -> [N,L,D], one call a pass, of the L tokens
/// that pass and are chosen. Passes take tokens of several prompts and parts of a reply, so what it makes of
/// a token must depend on that token's state alone. Gradients go through it.
struct StateChange {
  Hook hook;
  std::function<Tensor(const Tensor& states)> apply;
  TokenChoice tokens = TokenChoice::kAll;
};

}  // namespace hijack
