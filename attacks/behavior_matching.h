#pragma once
#include <memory>
#include <vector>

#include "attacks/behavior.h"
#include "attacks/objective.h"
#include "models/vision_language_model.h"

namespace hijack {

/// Behavior matching (Bailey et al. 2023, eq. 1): mean over a batch of contexts of the teacher-forced
/// cross-entropy (nats per target token, end token included where the behavior is the whole reply) of
/// B(context). One vision and prefix pass per step and image.
class BehaviorMatching : public Objective {
 public:
  /// batch: contexts per step, drawn without replacement epoch by epoch; 0 or >= contexts.size() uses all of
  /// them each step (then it is deterministic). Where batch does not divide the number of contexts, the rest
  /// of an epoch is left out, so that a batch never holds a context twice. Throws Error when there are no
  /// contexts or a target has no tokens.
  BehaviorMatching(std::shared_ptr<const VisionLanguageModel> model, std::shared_ptr<const Behavior> behavior,
                   std::vector<Context> contexts, int64_t batch, uint64_t seed);
  /// image [N,3,H,W] -> [N] float32 (float64 for a float64 model). Throws Error when a prompt and its target
  /// together do not fit into the model's context window.
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override;

 private:
  std::vector<size_t> batch_at(int64_t step) const;

  std::shared_ptr<const VisionLanguageModel> model_;
  std::vector<Context> contexts_;
  std::vector<TokenIds> targets_;  ///< one per context
  int64_t batch_;
  uint64_t seed_;
};

}  // namespace hijack
