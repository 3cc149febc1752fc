#pragma once
#include "models/activations/activations.h"

namespace hijack {

/// What is read of every image and query.
struct ActivationRequest {
  Hook hook;
  TokenChoice tokens = TokenChoice::kLast;
  /// What the model is made to say, for tokens of the reply (kReply, kAll); empty: what it says itself,
  /// greedily.
  std::string reply = {};
  int64_t max_new_tokens = 32;
};

/// Hands over the rows of one image [1,3,H,W] (undefined for a language model), asked each of the queries,
/// one query after the other. label and image_index: indices into the lists of the rows' source, whose
/// contexts are the queries. Image tokens that are the same for several queries are given once, with the
/// first. Without gradients; as many queries at once as kRepliesAtOnce. Throws Error as
/// StateHooks::states_at.
void collect_activations(const VisionLanguageModel& model, const Tensor& image,
                         std::span<const Query> queries, const ActivationRequest& request, int64_t label,
                         int64_t image_index, const std::function<void(ActivationRows)>& add);

}  // namespace hijack
