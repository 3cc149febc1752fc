#pragma once
#include <span>
#include <vector>

#include "models/vision_language_model.h"

namespace hijack {

/// Log-likelihood of each target as the beginning of the reply to its query: the sum over its tokens, in
/// nats. Over one image (or none, of a language model); without gradients, kRepliesAtOnce targets in a pass.
/// Throws Error as target_logits.
std::vector<double> log_likelihoods(const VisionLanguageModel& model, const Pixels& pixels,
                                    std::span<const Query> queries, std::span<const TokenIds> targets);

}  // namespace hijack
