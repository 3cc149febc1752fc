#include "models/decoder.h"

#include "models/config_json.h"
#include "src/base/error.h"

namespace hijack {
namespace {

// transformers 5 writes rope_parameters, older versions rope_theta and rope_scaling
double read_rope_theta(const ConfigReader& read) {
  const auto refuse_scaling = [](const nlohmann::json& rope) {
    for (const char* key : {"rope_type", "type"})
      if (rope.contains(key) && rope.at(key).is_string() && rope.at(key) != "default")
        throw Error("config.json: rope type \"" + rope.at(key).get<std::string>() +
                    "\" is not supported; only \"default\" is");
  };
  if (read.has("rope_scaling") && read.raw("rope_scaling").is_object())
    refuse_scaling(read.raw("rope_scaling"));
  if (read.has("rope_parameters") && read.raw("rope_parameters").is_object()) {
    refuse_scaling(read.raw("rope_parameters"));
    return ConfigReader(read.raw("rope_parameters"), "text_config.rope_parameters")
        .number("rope_theta", 10000.0);
  }
  return read.number("rope_theta", 10000.0);
}

}  // namespace

DecoderConfig DecoderConfig::from_json(const nlohmann::json& json, bool root_tied) {
  const ConfigReader read(json, "text_config");
  const auto type = read.text("model_type", "llama");
  if (type != "llama") throw Error("decoder \"" + type + "\" is not supported; llama is");
  DecoderConfig config;
  config.vocabulary = read.integer("vocab_size", 32000);
  config.width = read.integer("hidden_size", 4096);
  config.layers = read.integer("num_hidden_layers", 32);
  config.heads = read.integer("num_attention_heads", 32);
  config.kv_heads = read.integer("num_key_value_heads", config.heads);
  config.head_dim = read.integer("head_dim", config.width / config.heads);
  config.mlp_width = read.integer("intermediate_size", 11008);
  config.max_positions = read.integer("max_position_embeddings", 2048);
  config.epsilon = read.number("rms_norm_eps", 1e-6);
  config.rope_theta = read_rope_theta(read);
  config.attention_bias = read.flag("attention_bias", false);
  config.tied_head = read.flag("tie_word_embeddings", root_tied);
  if (read.flag("mlp_bias", false)) throw Error("config.json: text_config.mlp_bias true is not supported");
  if (read.text("hidden_act", "silu") != "silu")
    throw Error("config.json: text_config.hidden_act must be silu for a llama decoder");
  if (config.heads % config.kv_heads != 0)
    throw Error("config.json: num_attention_heads must be a multiple of num_key_value_heads");
  return config;
}

Decoder::Decoder(const DecoderConfig& config, const ParameterSource& source, const std::string& body,
                 const std::string& head)
    : config_(config) {
  const int64_t width = config.width;
  embedding_ = source(body + ".embed_tokens.weight", {config.vocabulary, width});
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string name = body + ".layers." + std::to_string(i);
    const auto linear = [&](const char* part, int64_t in, int64_t out, bool bias = false) {
      return Linear(source, name + part, in, out, bias);
    };
    const int64_t query = config.heads * config.head_dim, keys = config.kv_heads * config.head_dim;
    const bool bias = config.attention_bias;
    blocks_.push_back(
        {RmsNorm(source, name + ".input_layernorm", width, config.epsilon),
         RmsNorm(source, name + ".post_attention_layernorm", width, config.epsilon),
         linear(".self_attn.q_proj", width, query, bias), linear(".self_attn.k_proj", width, keys, bias),
         linear(".self_attn.v_proj", width, keys, bias), linear(".self_attn.o_proj", query, width, bias),
         linear(".mlp.gate_proj", width, config.mlp_width), linear(".mlp.up_proj", width, config.mlp_width),
         linear(".mlp.down_proj", config.mlp_width, width)});
  }
  norm_ = RmsNorm(source, body + ".norm", width, config.epsilon);
  if (config.tied_head)
    head_.weight = embedding_;
  else
    head_ = Linear(source, head, width, config.vocabulary, /*with_bias=*/false);
}

Tensor Decoder::embed(const Tensor& ids) const {
  return at::embedding(embedding_, ids);
}

Tensor Decoder::run_block(const Block& block, int64_t layer, const Tensor& x, const Rotary& rotary,
                          AttentionPlan& plan) const {
  const Tensor normed = block.norm1(x);
  const Tensor query = apply_rotary(split_heads(block.query(normed), config_.heads), rotary);
  const Tensor key = apply_rotary(split_heads(block.key(normed), config_.kv_heads), rotary);
  const Tensor value = split_heads(block.value(normed), config_.kv_heads);
  const Tensor seen = x + block.output(merge_heads(plan.attend(layer, query, key, value)));
  const Tensor inner = block.norm2(seen);
  return seen + block.down(at::silu(block.gate(inner)) * block.up(inner));
}

Tensor Decoder::forward(const Tensor& x, const Tensor& positions, AttentionPlan& plan) const {
  const Rotary turn = rotary(positions, config_.head_dim, config_.rope_theta);
  Tensor hidden = x;
  for (size_t i = 0; i < blocks_.size(); ++i)
    hidden = run_block(blocks_[i], static_cast<int64_t>(i), hidden, turn, plan);
  return norm_(hidden);
}

Tensor Decoder::logits(const Tensor& hidden) const {
  return head_(hidden).to(at::kFloat);
}

}  // namespace hijack
