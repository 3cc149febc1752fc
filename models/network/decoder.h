#pragma once
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/hook.h"
#include "models/network/attention.h"
#include "models/network/layers.h"
#include "models/network/rope_scaling.h"

// Shapes: N batch, L tokens, D width, V vocabulary.

namespace hijack {

class Weights;

/// Layers that see the latest tokens only, and how these layers turn.
struct SlidingLayers {
  int64_t window = 0;                     ///< tokens seen, the query's own the last of them
  std::vector<bool> layers = {};          ///< which slide; empty: none
  std::optional<double> rope_theta = {};  ///< Gemma 3: rotary frequencies of their own
  RopeScaling rope_scaling = {};          ///< with those
};

/// Llama (Touvron et al. 2023) with grouped-query attention, and what its relatives Qwen2, Qwen3 and Gemma
/// change.
struct DecoderConfig {
  int64_t vocabulary = 32000;
  int64_t width = 4096;
  int64_t layers = 32;
  int64_t heads = 32;
  int64_t kv_heads = 32;
  int64_t head_dim = 128;
  int64_t rotary_dim = 128;  ///< of a head's channels the first so many turn; Phi-4-mini: not all
  int64_t mlp_width = 11008;
  int64_t max_positions = 2048;
  double epsilon = 1e-6;
  double rope_theta = 10000;
  RopeScaling rope_scaling = {};
  /// M-RoPE (Wang et al. 2024): the axis of a position by which each frequency turns, rotary_dim/2 of 0
  /// (time), 1 (height) and 2 (width); empty: positions have one axis.
  std::vector<int64_t> mrope_axes = {};
  Activation activation = Activation::kSilu;
  bool query_bias = false;   ///< of query, key and value
  bool output_bias = false;  ///< of the attention's output
  bool mlp_bias = false;
  bool packed = false;         ///< Phi-3: one matrix for query, key and value, one for gate and up
  bool head_norms = false;     ///< Qwen3, Gemma 3: of each head's query and key, before they turn
  bool norm_adds_one = false;  ///< Gemma: x (1 + w), in float32
  bool outer_norms = false;    ///< Gemma 2: attention and MLP have a norm behind them, too
  SlidingLayers sliding = {};
  double attention_scale = 0;        ///< of the scores; 0: 1 / sqrt(head_dim)
  double attention_cap = 0;          ///< Gemma 2: scores s become cap tanh(s / cap)
  double logit_cap = 0;              ///< the same of logits; see read_logit_cap
  bool blocks_leave_window = false;  ///< see AttentionRule; the family says it
  double embedding_scale = 1;        ///< Gemma: sqrt(width); token embeddings only, not image features
  bool tied_head = false;

  /// `text_config` of config.json, or the whole of it, with the class defaults of its model_type (the table
  /// in decoder_config.cpp; `default_type` where it names none). root_tied: tie_word_embeddings of the root,
  /// for a text_config that does not say; nullopt: the class default.
  static DecoderConfig from_json(const nlohmann::json& json, std::optional<bool> root_tied,
                                 const std::string& default_type = "llama");
  /// The cap of logits that `text_config` names: transformers applies it in language models and PaliGemma,
  /// and leaves it out in LLaVA and Gemma 3 with images, so from_json does not set it.
  void read_logit_cap(const nlohmann::json& json);
  bool slides(int64_t layer) const {
    return !sliding.layers.empty() && sliding.layers.at(static_cast<size_t>(layer));
  }
  AttentionRule rule(int64_t layer) const {
    return {slides(layer) ? sliding.window : 0, attention_scale, attention_cap, blocks_leave_window};
  }
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
  std::vector<TokenKind> kinds = {};  ///< of the L tokens, for changes that choose; empty: not known
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
  /// The same of states before the final norm.
  Tensor lens_logits(const Tensor& states) const { return logits(norm_(states)); }

  /// The same decoder, through whose states `changes` are made; shares the weights. Only its first `layers`
  /// blocks: the head then reads what they leave. Blocks with changes are never recomputed (they keep what a
  /// gradient needs).
  Decoder with_changes(std::vector<StateChange> changes, int64_t layers) const;
  Decoder with_changes(std::vector<StateChange> changes) const {
    return with_changes(std::move(changes), config_.layers);
  }

  const DecoderConfig& config() const { return config_; }
  at::Device device() const { return embedding_.device(); }
  /// The type that keys and values come in.
  at::ScalarType key_dtype() const { return autocast_ ? at::kBFloat16 : norm_.weight.scalar_type(); }
  /// Whether weights take no gradients.
  bool frozen() const { return !norm_.weight.requires_grad(); }

 private:
  struct Block {
    RmsNorm norm1, norm2;  // before attention and MLP
    Linear query, key, value, output, gate, up, down;
    RmsNorm query_norm = {}, key_norm = {};  // with head_norms
    RmsNorm outer1 = {}, outer2 = {};        // with outer_norms
  };
  Block make_block(const ParameterSource& source, const std::string& name) const;
  /// The turns of full layers and of sliding ones.
  std::pair<Rotary, Rotary> turns(const Tensor& positions) const;
  /// {x [N,L,D], what the kernel shares} -> {x, key, value} of the block `layer`, from 0; read: tokens of the
  /// new x, or undefined for all
  std::vector<Tensor> run_block(int64_t layer, const std::vector<Tensor>& inputs, const Rotary& rotary,
                                const AttentionKernel& attend, const Tensor& read,
                                const std::vector<TokenKind>& kinds) const;
  /// states after the changes at this hook.
  Tensor changed(const Hook& hook, Tensor states, const std::vector<TokenKind>& kinds) const;
  /// Whether there are changes in or behind the block `layer`, from 1.
  bool changes_at(int64_t layer) const;
  int64_t block_bytes(const Tensor& x) const;

  DecoderConfig config_;
  bool autocast_ = false;       // layers.h
  Tensor embedding_;            // [V,D]
  Tensor frequencies_;          // of rotary positions, [rotary_dim/2]
  Tensor sliding_frequencies_;  // where sliding layers have their own
  std::vector<Block> blocks_;
  RmsNorm norm_;
  Linear head_;
  std::vector<StateChange> changes_;
};

}  // namespace hijack
