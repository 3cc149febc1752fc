#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/network/layers.h"

// Shapes: P patches, E tower width, D decoder width.

namespace hijack {

/// The vision transformer of Qwen2-VL (Wang et al. 2024): patches of images of any size, two-dimensional
/// rotary positions instead of learned ones, and a merger that makes one token of merge x merge patches.
struct Qwen2VlVisionConfig {
  int64_t layers = 32;
  int64_t width = 1280;
  int64_t heads = 16;
  int64_t mlp_width = 5120;
  int64_t output_width = 3584;  ///< the decoder's
  int64_t patch = 14;
  int64_t merge = 2;
  int64_t temporal = 2;
  double rope_theta = 10000;
  Activation activation = Activation::kQuickGelu;

  /// `vision_config` of config.json with the class defaults.
  static Qwen2VlVisionConfig from_json(const nlohmann::json& json);
  int64_t patch_values() const { return 3 * temporal * patch * patch; }
};

class Qwen2VlTower {
 public:
  /// prefix: name of the tower in the checkpoint ("model.visual").
  Qwen2VlTower(const Qwen2VlVisionConfig& config, const ParameterSource& source, const std::string& prefix);

  /// pixels [P, 3*temporal*patch*patch] of rows x columns patches, merge x merge of them after each other ->
  /// [1, P/merge^2, D].
  Tensor forward(const Tensor& pixels, int64_t rows, int64_t columns) const;

 private:
  struct Block {
    LayerNorm norm1, norm2;
    Linear mix, output, up, down;  // mix: query, key and value in one
  };
  Rotary rotary_of(int64_t rows, int64_t columns) const;
  Tensor run_block(const Block& block, const Tensor& x, const Rotary& rotary) const;

  Qwen2VlVisionConfig config_;
  Tensor patch_weight_;  // [E, 3*temporal*patch*patch]
  std::vector<Block> blocks_;
  LayerNorm merger_norm_;
  Linear merger1_, merger2_;
};

}  // namespace hijack
