#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/network/layers.h"

// Shapes: N texts, L tokens, D width.

namespace hijack {

/// The text towers of CLIP (Radford et al. 2021; a token sees what stands before it) and SigLIP (Zhai et al.
/// 2023; all see all).
struct TextTowerConfig {
  int64_t vocabulary = 49408;
  int64_t width = 512;
  int64_t layers = 12;
  int64_t heads = 8;
  int64_t mlp_width = 2048;
  int64_t max_positions = 77;
  double epsilon = 1e-5;
  Activation activation = Activation::kQuickGelu;
  bool causal = true;

  /// `text_config` of config.json with the class defaults of clip_text_model or siglip_text_model.
  static TextTowerConfig from_json(const nlohmann::json& json, bool siglip);
};

class TextTower {
 public:
  /// prefix: its name in the checkpoint, "text_model".
  TextTower(const TextTowerConfig& config, const ParameterSource& source, const std::string& prefix);

  /// ids int64 [N,L], L at most max_positions -> [N,L,D], behind the final norm.
  Tensor forward(const Tensor& ids) const;
  const TextTowerConfig& config() const { return config_; }

 private:
  struct Block {
    LayerNorm norm1, norm2;
    Linear query, key, value, output, up, down;
  };
  Block read_block(const ParameterSource& source, const std::string& name) const;
  Tensor run_block(const Block& block, const Tensor& x) const;

  TextTowerConfig config_;
  Tensor words_, positions_;  // [V,D], [max_positions,D]
  std::vector<Block> blocks_;
  LayerNorm final_norm_;
};

}  // namespace hijack
