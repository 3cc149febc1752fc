#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/families/llava.h"
#include "models/preprocess/image_processor.h"
#include "src/training/parameters.h"

namespace hijack {

/// The vision tower of a folder with all that is needed to train it and to write it again.
struct TowerToTrain {
  std::filesystem::path folder;
  /// Of the LLaVA model whose tower it is; none where the folder holds a tower alone (tower_folder.h).
  std::optional<nlohmann::json> model = {};
  nlohmann::json vision = {};  ///< config.json of the tower
  VisionConfig config = {};
  std::vector<int64_t> read_after = {};  ///< blocks whose states are read, side by side
  bool drop_first = false;               ///< the first token (CLIP's class token) is not read
  ImageProcessor processor = {};
  TensorMap tensors = {};  ///< named vision_tower.*, as stored

  /// Throws Error for a folder that holds neither a `llava` model nor a tower, and as reading one does.
  static TowerToTrain read(const std::filesystem::path& folder);

  int64_t layers_used() const;
  /// A tower with parameters from `source`, which is asked for names that begin with "vision_tower.".
  VisionTower build(const ParameterSource& source) const;
  /// images [N,3,S,S] in [0,1], of the tower's side -> what a model reads [N,T,D].
  Tensor features(const VisionTower& tower, const Tensor& images) const;
  /// The stored tensors in place of those of `parameters`. Throws Error where one is missing.
  void copy_into(Parameters& parameters) const;
  /// A folder as transformers writes a tower (`CLIPVisionModel`, `SiglipVisionModel`), in float32, with the
  /// tensors of `trained` in place of the stored ones: what --vision-tower takes.
  void write(const TensorMap& trained, const std::filesystem::path& out) const;
};

/// The whole model, its tower made of `parameters`, all else frozen; tower.model must be there.
std::shared_ptr<const Llava> model_around(const TowerToTrain& tower, Parameters& parameters,
                                          at::Device device);

}  // namespace hijack
