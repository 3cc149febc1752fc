#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "models/vision_language_model.h"

namespace hijack {

/// Qwen2.5-VL (Bai et al. 2025), `Qwen2_5_VLForConditionalGeneration`: RMS norms and gated MLPs in the tower,
/// attention in windows but for a few blocks.
std::shared_ptr<const VisionLanguageModel> load_qwen2_5_vl(const std::filesystem::path& folder,
                                                           const nlohmann::json& config, at::Device device,
                                                           at::ScalarType dtype);

}  // namespace hijack
