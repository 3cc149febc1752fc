#pragma once
#include <string>
#include <vector>

#include "models/vision_language_model.h"
#include "src/experiment/plan/plan.h"

namespace hijack {

/// What a photo costs at each step of an attack, before the first: from shapes and a measurement of the
/// machine that takes some tenths of a second.
struct PhotoCost {
  std::string photo;
  int64_t width = 0, height = 0;  ///< pixels that the model makes of it
  int64_t tokens = 0;             ///< of the image
  int64_t contexts = 0;           ///< in a step
  double seconds = 0;             ///< a step
  double bytes = 0;               ///< in memory
  double bytes_checkpointed = 0;  ///< where activations are computed again in the backward pass

  /// "cat.png: 644x476 pixels, 391 image tokens; a step with 8 contexts takes about
  /// 12 s where nothing else runs, and 9 GB of memory".
  std::string sentence() const;
};

/// Of the photos of the plans on one model, each size once. Empty for models whose parts are not known
/// (TorchScript), and for methods that take no gradient steps on a photo.
std::vector<PhotoCost> photo_costs(
    const std::vector<TrialPlan>& plans,
    const std::function<std::shared_ptr<const VisionLanguageModel>(const AttackConfig&)>& models);

}  // namespace hijack
