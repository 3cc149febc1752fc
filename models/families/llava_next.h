#pragma once
#include "models/families/anyres_model.h"

namespace hijack {

/// LLaVA-NeXT (Liu et al. 2024), LLaVA-1.6, Granite Vision, `llava_next`: LLaVA's tower, projector and
/// decoder (Llama, Mistral, Qwen2) over views with bars and newlines. Reads config.json with its class
/// defaults.
AnyresConfig llava_next_config(const nlohmann::json& root);

/// One view is the first of several: the photo squeezed into a square.
std::shared_ptr<const VisionLanguageModel> load_llava_next(const std::filesystem::path& folder,
                                                           const nlohmann::json& config, at::Device device,
                                                           at::ScalarType dtype, const TowerFolder* tower);

}  // namespace hijack
