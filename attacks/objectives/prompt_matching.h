#pragma once
#include <memory>
#include <string>
#include <vector>

#include "attacks/asked_contexts.h"
#include "attacks/behavior.h"
#include "attacks/objectives/context_batches.h"
#include "attacks/objectives/divided.h"
#include "models/vision_language_model.h"

namespace hijack {

/// Prompt matching (Bailey et al. 2023, section 2.3): the image shall make the model behave as if an
/// instruction stood before the user's prompt. Mean over a batch of contexts of KL(p || q) per token of the
/// target, where p is what the model predicts for instruction + prompt over the origin, and q for the prompt
/// alone over the image, as it is asked (asked_contexts.h). Soft targets carry the signal that single tokens
/// do not.
class PromptMatching : public MeanOverContexts {
 public:
  /// The targets of `behavior` are the replies to instruction + prompt (behaviors/disinformation.h). origin
  /// [1,3,H,W]. Throws Error as BehaviorMatching does.
  PromptMatching(std::shared_ptr<const VisionLanguageModel> model, const Behavior& behavior,
                 const std::string& instruction, AskedContexts contexts, const Tensor& origin, int64_t batch,
                 uint64_t seed);
  /// image [N,3,H,W] -> [N]
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return batches_.all(); }
  size_t contexts_of_step() const override { return batches_.of_step(); }

 private:
  std::shared_ptr<const VisionLanguageModel> model_;
  std::vector<Query> asked_;  ///< per context
  std::vector<TokenIds> targets_;
  std::vector<Tensor> wanted_;  ///< logits [T_i,V] of the instructed model
  ContextBatches batches_;
};

}  // namespace hijack
