#pragma once
#include <memory>
#include <vector>

#include "attacks/behavior.h"
#include "attacks/objective.h"
#include "models/vision_language_model.h"

namespace hijack {

/// Behavior matching (Bailey et al. 2023, eq. 1): mean over a batch of contexts of the teacher-forced
/// cross-entropy (nats per target token, end token included) of B(context). One vision and prefix pass per step.
class BehaviorMatching : public Objective {
 public:
  /// batch: contexts per step, drawn without replacement epoch by epoch; 0 or >= contexts.size() uses all of
  /// them each step (then it is deterministic). Throws Error when a target is empty.
  BehaviorMatching(std::shared_ptr<const VisionLanguageModel> model, std::shared_ptr<const Behavior> behavior,
                   std::vector<Context> contexts, int64_t batch, uint64_t seed);
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override;

 private:
  std::vector<size_t> batch_at(int64_t step) const;

  std::shared_ptr<const VisionLanguageModel> model_;
  std::vector<Context> contexts_;
  std::vector<TokenIds> targets_;
  int64_t batch_;
  uint64_t seed_;
};

}  // namespace hijack
