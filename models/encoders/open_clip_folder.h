#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/checkpoint/safetensors.h"
#include "models/families/open_clip.h"

namespace hijack {

/// A whole CLIP by the names of open_clip: open_clip_config.json and its weights. The image side is read as
/// families/open_clip.h does; this adds the text tower and both projections.
class OpenClipFolder {
 public:
  /// visual: its image side as it was read (TowerFolder::open_clip). Throws Error for a folder that is none,
  /// and for text towers that CLIP does not have.
  OpenClipFolder(const std::optional<OpenClipTower>& visual, const std::filesystem::path& folder);

  /// `projection_dim` and `text_config` as CLIPModel's config.json has them.
  const nlohmann::json& config() const { return config_; }
  /// By the names of CLIPModel.
  const TensorMap& tensors() const { return tensors_; }

 private:
  nlohmann::json config_;
  TensorMap tensors_;
};

}  // namespace hijack
