#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/layers.h"

// Shapes: N images, T tokens (patches, plus one where there is a class token), D width.

namespace hijack {

/// CLIP and SigLIP towers are one Vision Transformer (Dosovitskiy et al. 2020) with a few switches.
struct VisionConfig {
  int64_t image_size = 224;
  int64_t patch_size = 32;
  int64_t width = 768;
  int64_t layers = 12;
  int64_t heads = 12;
  int64_t mlp_width = 3072;
  double epsilon = 1e-5;
  Activation activation = Activation::kQuickGelu;
  bool class_token =
      true;  ///< CLIP: class token and a norm before the blocks, patch convolution without bias

  /// `vision_config` of config.json with its class defaults (clip_vision_model, siglip_vision_model).
  static VisionConfig from_json(const nlohmann::json& json);
  int64_t patches() const { return (image_size / patch_size) * (image_size / patch_size); }
};

class VisionTower {
 public:
  /// prefix: name of the tower in the checkpoint, e.g. "vision_tower". Only the first `layers_used` blocks
  /// are kept: feature layers are read before the post-norm.
  VisionTower(const VisionConfig& config, const ParameterSource& source, const std::string& prefix,
              int64_t layers_used);

  /// pixels [N,3,image_size,image_size] normalized -> [N,T,D], the hidden state after `layers_used` blocks.
  Tensor forward(const Tensor& pixels) const;
  const VisionConfig& config() const { return config_; }

 private:
  struct Block {
    LayerNorm norm1, norm2;
    Linear query, key, value, output, up, down;
  };
  Tensor run_block(const Block& block, const Tensor& x) const;

  VisionConfig config_;
  Tensor patch_weight_, patch_bias_, class_embedding_, position_;
  LayerNorm pre_norm_;
  std::vector<Block> blocks_;
};

}  // namespace hijack
