#include "models/decoder.h"

#include "models/safetensors.h"

namespace hijack {

void settle_tied_head(Weights& weights, const std::string& body, const std::string& head,
                      DecoderConfig& config) {
  const std::string name = head + ".weight", embedding = body + ".embed_tokens.weight";
  if (!config.tied_head || !weights.has(name) || !weights.has(embedding)) return;
  const std::vector<int64_t> shape{config.vocabulary, config.width};
  const Tensor stored_head = weights.take(name, shape), stored_embedding = weights.take(embedding, shape);
  if (stored_head.scalar_type() != stored_embedding.scalar_type() ||
      !at::equal(stored_head, stored_embedding)) {
    config.tied_head = false;
    return;
  }
  weights.rename([&](const std::string& stored) { return stored == name ? std::string() : stored; });
}

Decoder::Decoder(const DecoderConfig& config, const ParameterSource& source, const std::string& body,
                 const std::string& head)
    : config_(config) {
  const int64_t width = config.width;
  const auto norm = [&](const std::string& name) {
    return RmsNorm(source, name, width, config.epsilon, config.norm_adds_one);
  };
  embedding_ = source(body + ".embed_tokens.weight", {config.vocabulary, width});
  frequencies_ =
      rotary_frequencies(config.head_dim, config.rope_theta, config.rope_scaling).to(embedding_.device());
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string name = body + ".layers." + std::to_string(i);
    const auto linear = [&](const char* part, int64_t in, int64_t out, bool bias = false) {
      return Linear(source, name + part, in, out, bias);
    };
    const int64_t query = config.heads * config.head_dim, keys = config.kv_heads * config.head_dim;
    const bool bias = config.query_bias;
    blocks_.push_back(
        {norm(name + ".input_layernorm"), norm(name + ".post_attention_layernorm"),
         linear(".self_attn.q_proj", width, query, bias), linear(".self_attn.k_proj", width, keys, bias),
         linear(".self_attn.v_proj", width, keys, bias),
         linear(".self_attn.o_proj", query, width, config.output_bias),
         linear(".mlp.gate_proj", width, config.mlp_width), linear(".mlp.up_proj", width, config.mlp_width),
         linear(".mlp.down_proj", config.mlp_width, width)});
  }
  norm_ = norm(body + ".norm");
  if (config.tied_head)
    head_.weight = embedding_;
  else
    head_ = Linear(source, head, width, config.vocabulary, /*with_bias=*/false);
}

Tensor Decoder::embed(const Tensor& ids) const {
  const Tensor x = at::embedding(embedding_, ids);
  if (config_.embedding_scale == 1) return x;
  return x * at::scalar_tensor(config_.embedding_scale, x.options());  // rounded to the model's dtype first
}

Tensor Decoder::run_block(const Block& block, int64_t layer, const Tensor& x, const Rotary& rotary,
                          AttentionPlan& plan) const {
  const Tensor normed = block.norm1(x);
  const Tensor query = apply_rotary(split_heads(block.query(normed), config_.heads), rotary);
  const Tensor key = apply_rotary(split_heads(block.key(normed), config_.kv_heads), rotary);
  const Tensor value = split_heads(block.value(normed), config_.kv_heads);
  const Tensor seen = x + block.output(merge_heads(plan.attend(layer, query, key, value)));
  const Tensor inner = block.norm2(seen);
  return seen + block.down(activate(config_.activation, block.gate(inner)) * block.up(inner));
}

Tensor Decoder::forward(const Tensor& x, const Tensor& positions, AttentionPlan& plan) const {
  const Rotary turn = rotary(positions, frequencies_, config_.mrope_sections);
  Tensor hidden = x;
  for (size_t i = 0; i < blocks_.size(); ++i)
    hidden = run_block(blocks_[i], static_cast<int64_t>(i), hidden, turn, plan);
  return norm_(hidden);
}

Tensor Decoder::logits(const Tensor& hidden) const {
  return head_(hidden).to(at::kFloat);
}

}  // namespace hijack
