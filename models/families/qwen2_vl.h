#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "models/vision_language_model.h"

namespace hijack {

/// Qwen2-VL (Wang et al. 2024), `Qwen2VLForConditionalGeneration`: a tower of plain blocks, all patches see
/// each other.
std::shared_ptr<const VisionLanguageModel> load_qwen2_vl(const std::filesystem::path& folder,
                                                         const nlohmann::json& config, at::Device device,
                                                         at::ScalarType dtype);

}  // namespace hijack
