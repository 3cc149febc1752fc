#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/network/layers.h"

// Shapes: N images, T tokens (patches, plus one where there is a class token), D width.

namespace hijack {

/// What a checkpoint calls the parts of a tower.
struct VisionNames;

/// The towers of CLIP, SigLIP, InternVL (InternViT, Chen et al. 2023), InstructBLIP (EVA, Fang et al. 2022)
/// and DINOv2 (Oquab et al. 2023) are one Vision Transformer (Dosovitskiy et al. 2020) with a few switches.
/// Idefics3 has a SigLIP tower for views of any size.
struct VisionConfig {
  int64_t image_size = 224;
  int64_t patch_size = 32;
  int64_t width = 768;
  int64_t layers = 12;
  int64_t heads = 12;
  int64_t mlp_width = 3072;
  double epsilon = 1e-5;
  Activation activation = Activation::kQuickGelu;
  bool class_token = true;
  bool patch_bias = false;        ///< of the patch convolution
  bool pre_norm = true;           ///< CLIP: a norm before the blocks
  bool post_norm = false;         ///< a norm after the last block that is part of the features
  bool scaled_positions = false;  ///< positions by the fraction of the image's side: see scaled_position_ids
  bool query_bias = true;         ///< of query, key and value
  bool query_norm = false;        ///< InternViT 6B: RMS norm of queries and keys before they become heads
  bool rms_norm = false;          ///< InternViT 6B: of the blocks
  bool layer_scale = false;       ///< InternViT, DINOv2: what a block adds is scaled channel by channel
  bool resampled = false;         ///< DINOv2: positions are resampled for images of another size
  bool gated_mlp = false;         ///< DINOv2 giant: SwiGLU
  const VisionNames* names = &kClipNames;

  static const VisionNames kClipNames;

  /// `vision_config` of config.json with its class defaults (clip_vision_model, siglip_vision_model,
  /// idefics3_vision, smolvlm_vision, internvl_vision, instructblip_vision_model), or the root of DINOv2's
  /// (dinov2).
  static VisionConfig from_json(const nlohmann::json& json);
  int64_t patches() const { return (image_size / patch_size) * (image_size / patch_size); }
};

/// Which of side x side positions each of rows x columns patches takes, int64 [rows*columns]: Idefics3's
/// arithmetic in float32, whose rounding makes it differ from the identity even where rows = columns = side
/// (19, 25, 29, ... patches).
Tensor scaled_position_ids(int64_t rows, int64_t columns, int64_t side);

/// x [N,n*n,D] of n x n patches, row by row -> [N,(n/f)^2,D f^2]: the patches of each f x f square, row by
/// row, side by side. f must divide n.
Tensor merge_patches(const Tensor& x, int64_t factor);

class VisionTower {
 public:
  /// prefix: name of the tower in the checkpoint, e.g. "vision_tower". Only the first `layers_used` blocks
  /// are kept: feature layers are read before the post-norm.
  VisionTower(const VisionConfig& config, const ParameterSource& source, const std::string& prefix,
              int64_t layers_used);

  /// pixels [N,3,h,w] normalized -> [N,T,D], the hidden state after `layers_used` blocks. h = w = image_size
  /// unless positions are scaled or resampled.
  Tensor forward(const Tensor& pixels) const;
  /// The hidden states after so many blocks each (0: the embeddings), without the post-norm.
  std::vector<Tensor> forward(const Tensor& pixels, const std::vector<int64_t>& after_blocks) const;
  const VisionConfig& config() const { return config_; }

 private:
  struct Norm {
    LayerNorm layer;
    RmsNorm rms;
    Tensor operator()(const Tensor& x) const { return layer.weight.defined() ? layer(x) : rms(x); }
  };
  struct Block {
    Norm norm1, norm2;
    Linear query, key, value, output, up, down, gate;  // gate.weight undefined: none
    RmsNorm query_norm, key_norm;
    Tensor scale1, scale2;  // [D], or undefined
  };
  Block read_block(const ParameterSource& source, const std::string& name) const;
  void read_attention(const ParameterSource& source, const std::string& name, Block& block) const;
  Tensor embed(const Tensor& pixels) const;
  Tensor run_block(const Block& block, const Tensor& x) const;
  int64_t block_bytes(const Tensor& x) const;
  Tensor scaled_positions(int64_t rows, int64_t columns) const;
  /// Of rows x columns patches, [T,D].
  Tensor positions(int64_t rows, int64_t columns) const;
  Tensor feed_forward(const Block& block, const Tensor& x) const;

  VisionConfig config_;
  bool autocast_;  // layers.h
  Tensor patch_weight_, patch_bias_, class_embedding_, position_;
  LayerNorm pre_norm_, post_norm_;
  std::vector<Block> blocks_;
};

/// Whether a tensor of the tower is stored but never run: blocks after the feature layer, the post-norm that
/// comes after them, SigLIP's pooling head, InternViT's mask token.
bool beyond_features(const std::string& name, const std::string& prefix, int64_t layers_used);

}  // namespace hijack
