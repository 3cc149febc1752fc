#pragma once
#include <memory>
#include <vector>

#include "attacks/behavior.h"
#include "src/experiment/plan/config.h"
#include "src/experiment/plan/dataset.h"

// One length of replies for all that a trial asks: what is prepared, validated, judged, transferred,
// evaluated and calibrated is comparable only if nothing of it was cut earlier than the rest.

namespace hijack {

/// The behavior of a config with the targets that contexts bring; not prepared.
std::shared_ptr<Behavior> behavior_for(const AttackConfig& config, const ContextSet& contexts);

/// Throws Error when config.max_new_tokens is given and shorter than a target that is known without asking
/// the model.
void check_reply_length(const AttackConfig& config, const Behavior& behavior, const ContextSet& contexts,
                        const VisionLanguageModel& model);

struct PreparedBehaviors {
  std::vector<std::shared_ptr<const Behavior>> of;  ///< each model, in order
  int64_t reply_tokens = 0;
};

/// The behavior prepared with each of several models (the trial's, then those that its images are shown to)
/// over one photo. The length is config.max_new_tokens where given. Otherwise it is 48, or as many as the
/// behavior needs with every one of the models: 3 more than its longest target and its end, room for twice
/// the longest clean reply (verbose); where replies have to be whole (verbose, disinformation), twice as many
/// until they are, at most 512. Throws Error with both numbers where a given length is too short, and where
/// replies are still cut at 512.
PreparedBehaviors prepare_behaviors(const AttackConfig& config, const ContextSet& contexts,
                                    const std::vector<std::shared_ptr<const VisionLanguageModel>>& models,
                                    const Tensor& origin);

}  // namespace hijack
