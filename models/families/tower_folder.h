#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "models/checkpoint/weights.h"
#include "models/families/open_clip.h"
#include "models/preprocess/image_processor.h"

namespace hijack {

/// A vision tower in a folder of its own, as CLIP and SigLIP lie on the hub (`CLIPModel`, `CLIPVisionModel`,
/// `SiglipModel`, `SiglipVisionModel`), or with the names of open_clip (open_clip.h): what `--vision-tower`
/// puts in place of a model's own (FARE, TeCoA). The folder's text tower is not read.
class TowerFolder {
 public:
  /// Throws Error when there is no such folder, or it holds no such tower.
  explicit TowerFolder(const std::filesystem::path& folder);

  /// As `vision_config` of a family's config.json. own: that of the model, which tells what a bare checkpoint
  /// of open_clip does not say.
  nlohmann::json vision_config(const nlohmann::json& own) const {
    return open_clip_ ? open_clip_->vision_config(own) : config_;
  }
  /// The root of a family's config.json with this tower as its `vision_config`.
  nlohmann::json put_into(nlohmann::json root) const;
  /// The checkpoint of open_clip, where the folder is one.
  const std::optional<OpenClipTower>& open_clip() const { return open_clip_; }
  /// The folder's own image processor.
  ImageProcessor processor() const;
  /// Its tensors, named `prefix`.embeddings... and so on, in place of all that are named `prefix`... there.
  void put_into(Weights& weights, const std::string& prefix) const;

 private:
  std::filesystem::path folder_;
  std::optional<OpenClipTower> open_clip_;
  nlohmann::json config_;  ///< null for open_clip's, which may depend on the model's own
};

}  // namespace hijack
