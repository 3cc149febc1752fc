#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "models/vision_language_model.h"

namespace hijack {

/// Qwen3-VL (Bai et al. 2025), `Qwen3VLForConditionalGeneration`: learned positions in the tower, states of
/// some of its blocks added to the decoder's (DeepStack), the decoder of Qwen3.
std::shared_ptr<const VisionLanguageModel> load_qwen3_vl(const std::filesystem::path& folder,
                                                         const nlohmann::json& config, at::Device device,
                                                         at::ScalarType dtype);

}  // namespace hijack
