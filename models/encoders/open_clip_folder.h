#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors.h"

namespace hijack {

/// A whole CLIP by the names of open_clip: open_clip_config.json and its weights. The image side is read as
/// families/open_clip.h does; this adds the text tower and both projections.
class OpenClipFolder {
 public:
  /// Throws Error for a folder that is none, and for text towers that CLIP does not have.
  explicit OpenClipFolder(const std::filesystem::path& folder);

  /// `projection_dim` and `text_config` as CLIPModel's config.json has them.
  const nlohmann::json& config() const { return config_; }
  /// By the names of CLIPModel.
  const TensorMap& tensors() const { return tensors_; }

 private:
  nlohmann::json config_;
  TensorMap tensors_;
};

}  // namespace hijack
