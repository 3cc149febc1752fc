#pragma once
#include <memory>

#include "attacks/objective.h"
#include "models/vision_language_model.h"

namespace hijack {

enum class FeatureDistance { kCosine, kSquared };

/// Feature matching (AttackVLM, Zhao et al. 2023): the image tokens that the decoder reads shall be those of
/// another image. Cosine: 1 - mean over tokens of the cosine, in [0,2]. Squared: mean squared difference,
/// divided by the mean square of the target. No context takes part.
class FeatureMatching : public Objective {
 public:
  /// target [1,3,H,W] in model-input space, the picture to be mistaken for.
  FeatureMatching(std::shared_ptr<const VisionLanguageModel> model, const Tensor& target,
                  FeatureDistance distance);
  /// image [N,3,H,W] -> [N]
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return true; }

 private:
  std::shared_ptr<const VisionLanguageModel> model_;
  Tensor wanted_;  ///< [1,T_img,D]
  FeatureDistance distance_;
};

}  // namespace hijack
