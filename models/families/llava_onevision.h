#pragma once
#include "models/families/anyres_model.h"

namespace hijack {

/// LLaVA-OneVision (Li et al. 2024), `llava_onevision`: views with bars and newlines, many of which are
/// scaled down. Reads config.json with its class defaults.
AnyresConfig llava_onevision_config(const nlohmann::json& root);

/// One view is the photo padded to a square, as transformers makes of each of several images.
std::shared_ptr<const VisionLanguageModel> load_llava_onevision(const std::filesystem::path& folder,
                                                                const nlohmann::json& config,
                                                                at::Device device, at::ScalarType dtype,
                                                                const TowerFolder* tower);

}  // namespace hijack
