#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/network/attention.h"
#include "models/network/layers.h"
#include "models/network/rope_scaling.h"

// Shapes: N batch, L tokens, D width, V vocabulary.

namespace hijack {

class Weights;

/// Llama (Touvron et al. 2023) with grouped-query attention, and what its relatives Qwen2, Qwen3 and Gemma
/// change.
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
  RopeScaling rope_scaling = {};
  /// M-RoPE (Wang et al. 2024): the axis of a position by which each frequency turns, head_dim/2 of 0 (time),
  /// 1 (height) and 2 (width); empty: positions have one axis.
  std::vector<int64_t> mrope_axes = {};
  Activation activation = Activation::kSilu;
  bool query_bias = false;   ///< of query, key and value
  bool output_bias = false;  ///< of the attention's output
  bool mlp_bias = false;
  bool head_norms = false;  ///< Qwen3: query and key of each head through an RmsNorm, before they are turned
  bool norm_adds_one = false;  ///< Gemma: x (1 + w), in float32
  double embedding_scale = 1;  ///< Gemma: sqrt(width); token embeddings only, not image features
  bool tied_head = false;

  /// `text_config` of config.json, or the whole of it, with the class defaults of its model_type (the table
  /// in decoder_config.cpp; `default_type` where it names none). root_tied: tie_word_embeddings of the root,
  /// for a text_config that does not say; nullopt: the class default.
  static DecoderConfig from_json(const nlohmann::json& json, std::optional<bool> root_tied,
                                 const std::string& default_type = "llama");
};

/// Whether DecoderConfig knows this model_type.
bool is_decoder(const std::string& model_type);
/// The model types of text-only checkpoints, for messages and lists.
std::vector<std::string> text_decoder_names();

/// Checkpoints may store a head beside embeddings to which config.json ties it. As transformers does: an
/// equal head is left out of `weights`, a different one is used and the config's tied_head cleared.
void settle_tied_head(Weights& weights, const std::string& body, const std::string& head,
                      DecoderConfig& config);

/// Added to the states of some tokens after each of the first blocks (DeepStack, Meng et al. 2024).
struct DeepFeatures {
  Tensor places = {};  ///< int64 [n] of the pass's tokens; undefined: nothing is added
  Tensor added = {};   ///< [S,n,D]: added[i] after block i
};

/// What a pass reads.
struct DecoderInput {
  Tensor x;          ///< embeddings [N,L,D]
  Tensor positions;  ///< int64 [L], [N,L] or, with M-RoPE, [3,N,L]
  DeepFeatures deep = {};
};

class Decoder {
 public:
  /// body: name of the blocks in the checkpoint ("language_model.model"), head: of the output layer.
  Decoder(const DecoderConfig& config, const ParameterSource& source, const std::string& body,
          const std::string& head);

  /// ids int64 [..] -> [.., D], scaled where the family scales them.
  Tensor embed(const Tensor& ids) const;
  /// -> hidden state after the final norm [N,L,D]. Where `read`, int64 [R], says which tokens are read:
  /// [N,R,D], and the last block leaves the others out.
  Tensor forward(const DecoderInput& input, AttentionPlan& plan, const Tensor& read = {}) const;
  /// The same after the first `layers` blocks, before the norm.
  Tensor blocks(const DecoderInput& input, AttentionPlan& plan, int64_t layers,
                const Tensor& read = {}) const;
  /// Nothing is read, only the plan records keys and values of every layer.
  void prefill(const DecoderInput& input, AttentionPlan& plan) const;
  /// hidden [.., D] -> float32 logits [.., V]
  Tensor logits(const Tensor& hidden) const;

  const DecoderConfig& config() const { return config_; }
  at::Device device() const { return embedding_.device(); }
  /// Whether weights take no gradients.
  bool frozen() const { return !norm_.weight.requires_grad(); }

 private:
  struct Block {
    RmsNorm norm1, norm2;
    Linear query, key, value, output, gate, up, down;
    RmsNorm query_norm, key_norm;  // with head_norms
  };
  /// {x [N,L,D], what the kernel shares} -> {x, key, value}; read: tokens of the new x, or undefined for all
  std::vector<Tensor> run_block(const Block& block, const std::vector<Tensor>& inputs, const Rotary& rotary,
                                const AttentionKernel& attend, const Tensor& read) const;
  int64_t block_bytes(const Tensor& x) const;

  DecoderConfig config_;
  Tensor embedding_;    // [V,D]
  Tensor frequencies_;  // of rotary positions, [head_dim/2]
  std::vector<Block> blocks_;
  RmsNorm norm_;
  Linear head_;
};

}  // namespace hijack
