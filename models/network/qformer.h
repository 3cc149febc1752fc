#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/network/layers.h"

// Shapes: Q queries, L tokens of the question, T tokens of the tower, D width.

namespace hijack {

/// The querying transformer of InstructBLIP (Dai et al. 2023): BERT's blocks over learned queries and a
/// question, of which the queries also look at what the tower has seen.
struct QFormerConfig {
  int64_t vocabulary = 30522;
  int64_t width = 768;
  int64_t layers = 12;
  int64_t heads = 12;
  int64_t mlp_width = 3072;
  int64_t max_positions = 512;
  int64_t cross_every = 2;  ///< blocks 0, n, 2n, ... look at the tower
  int64_t tower_width = 1408;
  double epsilon = 1e-12;
  Activation activation = Activation::kGelu;

  /// `qformer_config` of config.json with its class defaults; the width of the tower is the tower's.
  static QFormerConfig from_json(const nlohmann::json& json, int64_t tower_width);
};

class QFormer {
 public:
  /// prefix: its name in the checkpoint, "qformer".
  QFormer(const QFormerConfig& config, const ParameterSource& source, const std::string& prefix);

  /// queries [1,Q,D], question int64 [L], seen [1,T,D_tower] -> what has become of the queries, [1,Q,D];
  /// differentiable to seen. Throws Error for a question longer than max_positions.
  Tensor forward(const Tensor& queries, const Tensor& question, const Tensor& seen) const;

  const QFormerConfig& config() const { return config_; }

 private:
  /// Multi-head attention, a linear layer, and the norm of its sum with what came in.
  struct Attention {
    Linear query, key, value, output;
    LayerNorm norm;
  };
  struct FeedForward {
    Linear up, down;
    LayerNorm norm;
  };
  struct Block {
    Attention self, cross;  // cross.query.weight undefined: without
    FeedForward queries, text;
  };
  Attention read_attention(const ParameterSource& source, const std::string& name, int64_t keys) const;
  FeedForward read_feed_forward(const ParameterSource& source, const std::string& name,
                                const std::string& suffix) const;
  Tensor attend(const Attention& part, const Tensor& x, const Tensor& seen) const;
  Tensor feed_forward(const FeedForward& part, const Tensor& x) const;
  /// x [1,Q+L,D] -> the same, or [1,Q,D] of the last block.
  Tensor run_block(const Block& block, const Tensor& x, const Tensor& seen, int64_t queries, bool last) const;

  QFormerConfig config_;
  Tensor words_, positions_;  // [V,D], [max_positions,D]
  LayerNorm norm_;
  std::vector<Block> blocks_;
};

}  // namespace hijack
