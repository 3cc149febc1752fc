#pragma once
#include <span>
#include <string>
#include <vector>

#include "models/hook.h"
#include "models/vision_language_model.h"

// Looking at and changing what the decoder computes, between its layers. Shapes: D decoder width, V
// vocabulary.

namespace hijack {

/// "image", "prompt", "last", "reply", "all".
std::vector<std::string> token_choice_names();
TokenChoice token_choice_from_name(const std::string& name);
std::string token_choice_name(TokenChoice choice);

/// What the chosen tokens of one prompt have at each hook.
struct TokenStates {
  std::vector<Tensor> states;      ///< one per hook [n,D]; what a part adds is bfloat16 with autocast
  std::vector<int64_t> positions;  ///< of the tokens in prompt and reply, ascending
  TokenIds ids;                    ///< of the tokens
  std::vector<TokenKind> kinds;    ///< of the tokens
};

/// A model whose states can be read and changed. Every family with the shared decoder is one.
class StateHooks {
 public:
  virtual ~StateHooks() = default;
  virtual int64_t layers() const = 0;
  virtual int64_t width() const = 0;

  /// States of the chosen tokens of each query with the image, replies[i] teacher-forced after queries[i]
  /// (replies may be empty as a whole). Differentiable to pixels.values. The common prefix is computed once.
  /// Throws Error for a layer that there is not, and as target_logits does.
  virtual std::vector<TokenStates> states_at(const Pixels& pixels, std::span<const Query> queries,
                                             std::span<const TokenIds> replies, std::span<const Hook> hooks,
                                             TokenChoice tokens) const = 0;

  /// States of the residual stream [..,D] through the final norm and the head: float32 logits [..,V] (the
  /// logit lens, nostalgebraist 2020).
  virtual Tensor lens_logits(const Tensor& states) const = 0;

  /// target_logits and generate of VisionLanguageModel, while `changes` are made, in their order. Logits are
  /// differentiable through them.
  virtual std::vector<Tensor> changed_target_logits(const Pixels& pixels, std::span<const Query> queries,
                                                    std::span<const TokenIds> targets,
                                                    std::span<const StateChange> changes) const = 0;
  virtual std::vector<Generated> changed_generate(const Pixels& pixels, std::span<const Query> queries,
                                                  const GenerateOptions& options,
                                                  std::span<const StateChange> changes) const = 0;
};

/// The model's hooks. Throws Error where it has none (TorchScript files).
const StateHooks& state_hooks_of(const VisionLanguageModel& model);

}  // namespace hijack
