#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "models/families/llava.h"

// Folders as LLaVA's own code writes them (`LlavaLlamaForCausalLM`, `LlavaMistralForCausalLM`; Liu et al.
// 2023): the decoder's flat config.json with mm_... fields beside it, a projector `model.mm_projector`, and a
// tower that is named, not stored.

namespace hijack {

/// Whether config.json is one of these, whatever it calls itself (`llava_llama`, `llava_mistral`, `llava`).
bool is_original_llava(const nlohmann::json& root);

/// The folder that such a config.json names as its vision tower (`mm_vision_tower`): as it stands there,
/// inside the model's folder, or beside it. nullopt where there is none, and for other models.
std::optional<std::filesystem::path> named_tower(const std::filesystem::path& folder);

/// The tower is `tower`; or what the weights hold, with the config of the named one; or the named one.
/// Prompts are the folder's own template's, or LLaVA's conversation for a folder of this name, where the text
/// "<image>" stands for the photo. Throws Error for a tower that is nowhere, and for what is not implemented.
std::shared_ptr<const VisionLanguageModel> load_original_llava(const std::filesystem::path& folder,
                                                               const nlohmann::json& config,
                                                               at::Device device, at::ScalarType dtype,
                                                               const TowerFolder* tower);

}  // namespace hijack
