#pragma once
#include <memory>
#include <string>
#include <vector>

#include "defenses/resources.h"
#include "models/state_hooks.h"

// What detectors that look inside of the model share: states of the residual stream at the last token of a
// prompt with its image, where the model is about to reply. Shapes: n submissions, K layers, D width.

namespace hijack {

/// Reads them from one model.
class LastStates {
 public:
  /// Throws Error that names `defense` without model, for one that does not show its layers, and for layers
  /// that there are not.
  LastStates(const DefenseResources& resources, std::vector<int64_t> layers, const std::string& defense);

  /// [n,K,D] float32, without gradients. Submissions that share an image share the tower's pass.
  Tensor of(const std::vector<Submission>& submissions) const;
  /// [n,K,D] of one image [1,3,H,W] and the queries that an attacker would try (a few benign ones of the
  /// resources, whose real prompts he does not know), differentiable to the image.
  Tensor of_image(const Tensor& image) const;

  const StateHooks& hooks() const { return state_hooks_of(*model_); }

 private:
  Tensor read(const Pixels& pixels, std::span<const Query> queries) const;

  std::shared_ptr<const VisionLanguageModel> model_;
  std::vector<Hook> at_;
  std::vector<Query> tried_;
};

/// What an adaptive attack minimizes in place of a detector's score (Defense::image_score): linear in
/// `value`, so that it has a gradient wherever the score is saturated, at most 80 % of the threshold exactly
/// where value <= limit - margin. limit: the value at which the score is `threshold`.
Tensor score_for_attacks(const Tensor& value, double limit, double margin, double threshold);

}  // namespace hijack
