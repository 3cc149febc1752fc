#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/attention.h"
#include "models/layers.h"

// Shapes: N batch, L tokens, D width, V vocabulary.

namespace hijack {

/// Llama (Touvron et al. 2023) with grouped-query attention, and what its relatives change.
struct DecoderConfig {
  int64_t vocabulary = 32000;
  int64_t width = 4096;
  int64_t layers = 32;
  int64_t heads = 32;
  int64_t kv_heads = 32;
  int64_t head_dim = 128;
  int64_t mlp_width = 11008;
  int64_t max_positions = 2048;
  double epsilon = 1e-6;
  double rope_theta = 10000;
  bool attention_bias = false;
  bool tied_head = false;

  /// `text_config` of config.json with its class defaults (llama). root_tied: tie_word_embeddings of the
  /// root.
  static DecoderConfig from_json(const nlohmann::json& json, bool root_tied);
};

class Decoder {
 public:
  /// body: name of the blocks in the checkpoint ("language_model.model"), head: of the output layer.
  Decoder(const DecoderConfig& config, const ParameterSource& source, const std::string& body,
          const std::string& head);

  /// ids int64 [..] -> [.., D]
  Tensor embed(const Tensor& ids) const;
  /// x [N,L,D], positions int64 [L] or [N,L] -> hidden state after the final norm [N,L,D].
  Tensor forward(const Tensor& x, const Tensor& positions, AttentionPlan& plan) const;
  /// hidden [.., D] -> float32 logits [.., V]
  Tensor logits(const Tensor& hidden) const;

  const DecoderConfig& config() const { return config_; }
  at::Device device() const { return embedding_.device(); }

 private:
  struct Block {
    RmsNorm norm1, norm2;
    Linear query, key, value, output, gate, up, down;
  };
  Tensor run_block(const Block& block, int64_t layer, const Tensor& x, const Rotary& rotary,
                   AttentionPlan& plan) const;

  DecoderConfig config_;
  Tensor embedding_;  // [V,D]
  std::vector<Block> blocks_;
  RmsNorm norm_;
  Linear head_;
};

}  // namespace hijack
