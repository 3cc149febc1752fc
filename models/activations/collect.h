#pragma once
#include "models/activations/activations.h"

namespace hijack {

/// What is read of every image and query.
struct ActivationRequest {
  Hook hook;
  TokenChoice tokens = TokenChoice::kLast;
  /// What the model is made to say, for tokens of the reply; empty: what it says itself, greedily.
  std::string reply = {};
  int64_t max_new_tokens = 32;
};

/// Adds the rows of one image [1,3,H,W] (undefined for a language model), asked each of the queries, to a
/// writer. label and image_index: indices into the lists of the writer's source, whose contexts are the
/// queries. Image tokens that are the same for several queries are stored once, with the first. Without
/// gradients; as many queries at once as kRepliesAtOnce. Throws Error as StateHooks::states_at.
void collect_activations(const VisionLanguageModel& model, const Tensor& image,
                         std::span<const Query> queries, const ActivationRequest& request, int64_t label,
                         int64_t image_index, ActivationWriter& writer);

}  // namespace hijack
