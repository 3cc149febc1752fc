#pragma once
#include <memory>
#include <vector>

#include "attacks/behavior.h"
#include "attacks/objectives/context_batches.h"
#include "attacks/objectives/divided.h"
#include "models/vision_language_model.h"

namespace hijack {

/// The model shall not stop (verbose images, Gao et al. 2024, the delayed end-of-sequence loss): mean over a
/// batch of contexts of the mean probability of the end token over all places of the model's own greedy reply
/// to the present image, in [0,1].
class DelayEnd : public MeanOverContexts {
 public:
  /// longest: tokens of the reply that are looked at. Throws Error when there are no contexts or the family
  /// has no end token.
  DelayEnd(std::shared_ptr<const VisionLanguageModel> model, std::vector<Context> contexts, int64_t longest,
           int64_t batch, uint64_t seed);
  /// image [N,3,H,W] -> [N]. The reply is a constant of the gradient.
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return batches_.all(); }
  size_t contexts_of_step() const override { return batches_.of_step(); }

 private:
  std::shared_ptr<const VisionLanguageModel> model_;
  std::vector<Context> contexts_;
  int64_t longest_;
  ContextBatches batches_;
};

}  // namespace hijack
