#include "models/network/decoder.h"

#include "models/checkpoint/weights.h"
#include "models/network/activation_checkpointing.h"

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
  const auto norm = [&](const std::string& name, int64_t of) {
    return RmsNorm(source, name, of, config.epsilon, config.norm_adds_one);
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
    blocks_.push_back({norm(name + ".input_layernorm", width),
                       norm(name + ".post_attention_layernorm", width),
                       linear(".self_attn.q_proj", width, query, bias),
                       linear(".self_attn.k_proj", width, keys, bias),
                       linear(".self_attn.v_proj", width, keys, bias),
                       linear(".self_attn.o_proj", query, width, config.output_bias),
                       linear(".mlp.gate_proj", width, config.mlp_width, config.mlp_bias),
                       linear(".mlp.up_proj", width, config.mlp_width, config.mlp_bias),
                       linear(".mlp.down_proj", config.mlp_width, width, config.mlp_bias),
                       {},
                       {}});
    if (!config.head_norms) continue;
    blocks_.back().query_norm = norm(name + ".self_attn.q_norm", config.head_dim);
    blocks_.back().key_norm = norm(name + ".self_attn.k_norm", config.head_dim);
  }
  norm_ = norm(body + ".norm", width);
  if (config.tied_head)
    head_.weight = embedding_;
  else
    head_ = Linear(source, head, width, config.vocabulary, /*with_bias=*/false);
}

Tensor Decoder::embed(const Tensor& ids) const {
  // weights may be stored narrower than the model computes
  const Tensor x = at::embedding(embedding_, ids).to(norm_.weight.scalar_type());
  if (config_.embedding_scale == 1) return x;
  return x * at::scalar_tensor(config_.embedding_scale, x.options());  // rounded to the model's dtype first
}

std::vector<Tensor> Decoder::run_block(const Block& block, const std::vector<Tensor>& inputs,
                                       const Rotary& rotary, const AttentionKernel& attend,
                                       const Tensor& read) const {
  const Tensor& x = inputs[0];
  const Tensor normed = block.norm1(x);
  const auto turned = [&](const Linear& linear, const RmsNorm& norm, int64_t heads) {  // [N,heads,L,d]
    const Tensor split = split_heads(linear(normed), heads);
    return apply_rotary(config_.head_norms ? norm(split) : split, rotary);
  };
  const Tensor key = turned(block.key, block.key_norm, config_.kv_heads);
  const Tensor value = split_heads(block.value(normed), config_.kv_heads);
  if (read.defined() && read.numel() == 0) return {x.narrow(1, 0, 0), key, value};
  const Tensor query = turned(block.query, block.query_norm, config_.heads);
  const Tensor mixed = merge_heads(attend(query, key, value, std::span(inputs).subspan(1)));
  const auto read_of = [&](const Tensor& all) { return read.defined() ? all.index_select(1, read) : all; };
  const Tensor seen = block.output(read_of(mixed)).add_(read_of(x));
  const Tensor inner = block.norm2(seen);
  const Tensor wide = gated(config_.activation, block.gate(inner), block.up(inner));
  return {block.down(wide).add_(seen), key, value};
}

int64_t Decoder::block_bytes(const Tensor& x) const {
  // inputs of the two norms, query and mixed values, key and value, two of the MLP
  const int64_t heads = config_.heads + config_.kv_heads;
  const int64_t wide =
      2 * config_.width + (config_.head_norms ? 3 : 2) * heads * config_.head_dim + 2 * config_.mlp_width;
  return x.size(0) * x.size(1) * wide * x.element_size();
}

Tensor Decoder::forward(const DecoderInput& input, AttentionPlan& plan, const Tensor& read) const {
  return norm_(blocks(input, plan, config_.layers, read));
}

void Decoder::prefill(const DecoderInput& input, AttentionPlan& plan) const {
  blocks(input, plan, config_.layers, at::empty({0}, input.positions.options()));
}

Tensor Decoder::blocks(const DecoderInput& input, AttentionPlan& plan, int64_t layers,
                       const Tensor& read) const {
  Rotary turn = rotary(input.positions, frequencies_, config_.mrope_axes);
  if (const double longer = config_.rope_scaling.attention_factor; longer != 1)
    turn = {turn.cosine * longer, turn.sine * longer};
  const BlockRunner run(input.x, frozen(), layers, block_bytes(input.x));
  const DeepFeatures& deep = input.deep;
  Tensor hidden = input.x;
  for (int64_t layer = 0; layer < layers; ++layer) {
    const Block& block = blocks_[static_cast<size_t>(layer)];
    std::vector<Tensor> inputs = plan.shared(layer);
    inputs.insert(inputs.begin(), hidden);
    const bool added = deep.places.defined() && layer < deep.added.size(0);
    const Tensor wanted = layer + 1 == layers ? read : Tensor();
    const auto outputs =
        run([this, &block, turn, attend = plan.kernel(layer), wanted = added ? Tensor() : wanted](
                const std::vector<Tensor>& given) { return run_block(block, given, turn, attend, wanted); },
            inputs);
    hidden = outputs[0];
    plan.record(layer, outputs[1], outputs[2]);
    if (!added) continue;
    hidden = hidden.index_add(1, deep.places, deep.added[layer].unsqueeze(0));
    if (wanted.defined()) hidden = hidden.index_select(1, wanted);
  }
  return hidden;
}

Tensor Decoder::logits(const Tensor& hidden) const {
  return head_(hidden).to(at::kFloat);
}

}  // namespace hijack
