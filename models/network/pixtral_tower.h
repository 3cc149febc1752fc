#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/network/layers.h"

// Shapes: N images, P patches, E tower width.

namespace hijack {

/// The vision transformer of Pixtral (Agrawal et al. 2024): images of any size, two-dimensional rotary
/// positions, blocks like a decoder's without bias.
struct PixtralVisionConfig {
  int64_t layers = 24;
  int64_t width = 1024;
  int64_t heads = 16;
  int64_t mlp_width = 4096;
  int64_t patch = 16;
  double rope_theta = 10000;
  Activation activation = Activation::kGelu;

  /// `vision_config` of config.json with the class defaults.
  static PixtralVisionConfig from_json(const nlohmann::json& json);
};

class PixtralTower {
 public:
  /// prefix: name of the tower in the checkpoint ("vision_tower"). Only the first `layers_used` blocks are
  /// kept.
  PixtralTower(const PixtralVisionConfig& config, const ParameterSource& source, const std::string& prefix,
               int64_t layers_used);

  /// pixels [N,3,h,w] normalized, both sides multiples of the patch -> [N,P,E], patches row by row, after the
  /// blocks.
  Tensor forward(const Tensor& pixels) const;

 private:
  struct Block {
    RmsNorm norm1, norm2;
    Linear query, key, value, output, gate, up, down;
  };
  Rotary rotary_of(int64_t rows, int64_t columns) const;
  Tensor run_block(const Block& block, const Tensor& x, const Rotary& rotary) const;

  PixtralVisionConfig config_;
  bool autocast_;        // layers.h
  Tensor patch_weight_;  // [E,3,patch,patch]
  Tensor frequencies_;   // [d/4,2] of a head
  RmsNorm pre_norm_;
  std::vector<Block> blocks_;
};

}  // namespace hijack
