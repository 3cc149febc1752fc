#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "models/network/vision_tower.h"

// Whether the files of a checkpoint folder belong together: config.json describes the network, the
// processor's files what it is shown. Each check throws Error that names both sides.

namespace hijack {

/// Images of height x width pixels must be what the tower takes.
void check_view(const std::filesystem::path& folder, const VisionConfig& tower, int64_t height,
                int64_t width);

/// The number of image tokens that the processor's files make room for (nullopt: they do not say) must be
/// what the network of config.json gives.
void check_image_tokens(const std::filesystem::path& folder, std::optional<int64_t> room, int64_t given);

/// The tokens that transformers' processors of LLaVA and LLaVA-NeXT put into a prompt for a view of this
/// size, by patch_size of processor_config.json; nullopt where it does not say.
std::optional<int64_t> room_for_view(const std::filesystem::path& folder, int64_t height, int64_t width);

/// The root of processor_config.json; an empty object where there is none.
nlohmann::json processor_settings(const std::filesystem::path& folder);
/// A whole number above 0 of it.
std::optional<int64_t> processor_number(const nlohmann::json& settings, const char* key);

}  // namespace hijack
