#pragma once
#include <memory>
#include <vector>

#include "attacks/behavior.h"
#include "defenses/resources.h"

namespace hijack {

/// The bare model as a responder: submissions that share an image are decoded together; those without image
/// are answered by its decoder alone.
Responder bare_model(std::shared_ptr<const VisionLanguageModel> model, int64_t max_new_tokens);

/// What defenses of `model` need. Their thresholds are fitted on the prompts `calibration`, each with a
/// picture that no evaluation asks about: in turn a generated scene (other ones than the utility questions
/// show) and a shipped photograph, `attacked` [1,3,H,W] excepted.
DefenseResources defense_resources(const std::shared_ptr<const VisionLanguageModel>& model,
                                   const std::vector<Context>& calibration, const Tensor& attacked,
                                   int64_t max_new_tokens);

}  // namespace hijack
