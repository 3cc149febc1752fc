#pragma once
#include "models/vision_language_model.h"
#include "src/experiment/record/results.h"

namespace hijack {

/// How visible the change from `origin` to `image` is, [1,3,H,W] each, to people and to the model.
Visibility measure_visibility(const VisionLanguageModel& model, const Tensor& image, const Tensor& origin);

/// The more visible of two, number by number.
Visibility more_visible(const Visibility& a, const Visibility& b);

}  // namespace hijack
