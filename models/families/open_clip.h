#pragma once
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "models/checkpoint/safetensors.h"

namespace hijack {

/// The vision transformer of a checkpoint with the names of open_clip, as FARE, TeCoA and Sim-CLIP are
/// published: a folder with open_clip_config.json and the weights of the whole CLIP, or with one file (.pt,
/// .bin, .safetensors) of a state dict alone, whose tensors may lack the front `visual.`. Query, key and
/// value lie in one matrix there. What stands beside the tower is kept by its own names.
class OpenClipTower {
 public:
  /// nullopt for a folder that is none: with a config.json, or without open_clip's config and exactly one
  /// file of weights. Throws Error for one that cannot be read, holds no such tower, or one with parts that
  /// CLIP does not have.
  static std::optional<OpenClipTower> from_folder(const std::filesystem::path& folder);

  /// A `vision_config` of Hugging Face. What a state dict alone does not say (activation, heads) is that of
  /// `own`, the model's own vision_config, which must be a CLIP's; throws Error where it is not.
  nlohmann::json vision_config(const nlohmann::json& own) const;
  /// The settings of its image processor: shortest edge, center crop, as open_clip does it.
  nlohmann::json processor_config() const;
  /// By the names of Hugging Face's CLIPVisionModel without `vision_model.`.
  const TensorMap& tensors() const { return tensors_; }
  /// The text tower, and the projection behind the tower (`visual.proj`).
  const TensorMap& others() const { return others_; }
  /// open_clip_config.json, or null where there is none.
  const nlohmann::json& whole_config() const { return config_; }

 private:
  void read_config(const std::filesystem::path& file);
  void rename(const TensorMap& stored);
  int64_t image_size() const;
  int64_t side(const char* tensor, int64_t dimension) const;

  std::string where_;
  nlohmann::json config_ = nullptr;  ///< open_clip_config.json
  TensorMap tensors_, others_;
  int64_t layers_ = 0;
};

/// A tensor of one of open_clip's blocks ("transformer.resblocks.N...") by the names of Hugging Face behind
/// `prefix`; query, key and value become three. False for a name that is none. Throws Error where the three
/// are not one.
bool put_open_clip_block(const std::string& where, const std::string& name, const Tensor& tensor,
                         const std::string& prefix, TensorMap& tensors);

}  // namespace hijack
