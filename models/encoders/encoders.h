#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "models/checkpoint/weights.h"

// Encoders in folders of Hugging Face format, each strict both ways: what is missing, and what nobody reads,
// is an Error.

namespace hijack {

class TowerEncoder;

/// `CLIPModel` (Radford et al. 2021), or the same by the names of open_clip, with open_clip_config.json and a
/// tokenizer.json of CLIP beside it. Embedding: the class token behind post-norm and projection; patches: the
/// states of the last block.
std::shared_ptr<const TowerEncoder> load_clip(const std::filesystem::path& folder,
                                              const nlohmann::json& config, at::Device device,
                                              at::ScalarType dtype);

/// `SiglipModel` (Zhai et al. 2023; the fixed-size folders of SigLIP 2 are of this class, too). Embedding:
/// what the pooling head reads from the patches, without projection.
std::shared_ptr<const TowerEncoder> load_siglip(const std::filesystem::path& folder,
                                                const nlohmann::json& config, at::Device device,
                                                at::ScalarType dtype);

/// `Dinov2Model` (Oquab et al. 2023), giant included. Embedding: the class token behind the last norm. No
/// text.
std::shared_ptr<const TowerEncoder> load_dinov2(const std::filesystem::path& folder,
                                                const nlohmann::json& config, at::Device device,
                                                at::ScalarType dtype);

}  // namespace hijack
