#pragma once
#include <memory>
#include <string>

#include "attacks/objective.h"
#include "models/vision_language_model.h"

namespace hijack {

enum class FeatureDistance { kCosine, kSquared };

/// What the decoder shall take the image for.
struct FeatureTarget {
  Tensor image = {};      ///< [1,3,H,W] in model-input space, a picture; or else
  std::string text = {};  ///< a text
  int64_t layer = 0;      ///< compared after so many blocks of the decoder; 0 = the tokens that it reads
};

/// Feature matching (AttackVLM, Zhao et al. 2023): what the decoder makes of the image tokens shall be what
/// it makes of another picture's, token by token, or of a text, where the means over all tokens are compared
/// (their numbers differ). Cosine: 1 - mean over tokens of the cosine, in [0,2]. Squared: mean squared
/// difference, divided by the mean square of the target. No context takes part.
class FeatureMatching : public Objective {
 public:
  /// Throws Error for a layer that the model does not have or show, and a text without tokens.
  FeatureMatching(std::shared_ptr<const VisionLanguageModel> model, const FeatureTarget& target,
                  FeatureDistance distance);
  /// image [N,3,H,W] -> [N]
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return true; }

 private:
  std::shared_ptr<const VisionLanguageModel> model_;
  Tensor wanted_;  ///< [1,T_img,D], of a text [1,1,D]
  FeatureDistance distance_;
  int64_t layer_;
};

}  // namespace hijack
