#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "models/checkpoint/safetensors.h"
#include "models/preprocess/image_processor.h"

namespace hijack {

/// A vision tower in a folder of its own, as CLIP and SigLIP lie on the hub (`CLIPModel`, `CLIPVisionModel`,
/// `SiglipModel`, `SiglipVisionModel`): what `--vision-tower` puts in place of a model's own (FARE, TeCoA).
/// The folder's text tower is not read.
class TowerFolder {
 public:
  /// Throws Error when there is no such folder, or it holds no such tower.
  explicit TowerFolder(const std::filesystem::path& folder);

  /// As `vision_config` of a family's config.json.
  const nlohmann::json& vision_config() const { return config_; }
  /// The root of a family's config.json with this tower as its `vision_config`.
  nlohmann::json put_into(nlohmann::json root) const;
  /// The folder's own image processor.
  ImageProcessor processor() const { return ImageProcessor::from_folder(folder_); }
  /// Its tensors, named `prefix`.embeddings... and so on, in place of all that are named `prefix`... there.
  void put_into(Weights& weights, const std::string& prefix) const;

 private:
  std::filesystem::path folder_;
  nlohmann::json config_;
};

}  // namespace hijack
