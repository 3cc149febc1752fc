#include "models/network/text_tower.h"

#include "models/checkpoint/config_json.h"
#include "models/network/attention.h"
#include "src/base/error.h"

namespace hijack {

TextTowerConfig TextTowerConfig::from_json(const nlohmann::json& json, bool siglip) {
  TextTowerConfig config;
  if (siglip) {
    config = {.vocabulary = 32000, .width = 768, .layers = 12, .heads = 12, .mlp_width = 3072};
    config.max_positions = 64;
    config.epsilon = 1e-6;
    config.activation = Activation::kGeluTanh;
    config.causal = false;
  }
  const ConfigReader read(json, "text_config");
  config.vocabulary = read.integer("vocab_size", config.vocabulary);
  config.width = read.integer("hidden_size", config.width);
  config.layers = read.integer("num_hidden_layers", config.layers);
  config.heads = read.integer("num_attention_heads", config.heads);
  config.mlp_width = read.integer("intermediate_size", config.mlp_width);
  config.max_positions = read.integer("max_position_embeddings", config.max_positions);
  config.epsilon = read.number("layer_norm_eps", config.epsilon);
  if (read.has("hidden_act")) config.activation = activation_from_name(read.text("hidden_act", {}));
  if (config.width % config.heads != 0)
    throw Error("text_config of config.json: hidden_size must be a multiple of num_attention_heads");
  return config;
}

TextTower::TextTower(const TextTowerConfig& config, const ParameterSource& source, const std::string& prefix)
    : config_(config),
      words_(source(prefix + ".embeddings.token_embedding.weight", {config.vocabulary, config.width})),
      positions_(
          source(prefix + ".embeddings.position_embedding.weight", {config.max_positions, config.width})) {
  for (int64_t i = 0; i < config.layers; ++i)
    blocks_.push_back(read_block(source, prefix + ".encoder.layers." + std::to_string(i) + "."));
  final_norm_ = LayerNorm(source, prefix + ".final_layer_norm", config.width, config.epsilon);
}

TextTower::Block TextTower::read_block(const ParameterSource& source, const std::string& name) const {
  const int64_t width = config_.width;
  const auto linear = [&](const char* part, int64_t in, int64_t out) {
    return Linear(source, name + part, in, out, /*with_bias=*/true);
  };
  Block block;
  block.norm1 = LayerNorm(source, name + "layer_norm1", width, config_.epsilon);
  block.norm2 = LayerNorm(source, name + "layer_norm2", width, config_.epsilon);
  block.query = linear("self_attn.q_proj", width, width);
  block.key = linear("self_attn.k_proj", width, width);
  block.value = linear("self_attn.v_proj", width, width);
  block.output = linear("self_attn.out_proj", width, width);
  block.up = linear("mlp.fc1", width, config_.mlp_width);
  block.down = linear("mlp.fc2", config_.mlp_width, width);
  return block;
}

Tensor TextTower::run_block(const Block& block, const Tensor& x) const {
  const Tensor normed = block.norm1(x);
  const auto heads = [&](const Linear& part) { return split_heads(part(normed), config_.heads); };
  const Tensor mixed =
      attention(heads(block.query), heads(block.key), heads(block.value), {}, config_.causal);
  const Tensor seen = x + block.output(merge_heads(mixed));
  return seen + block.down(activate(config_.activation, block.up(block.norm2(seen))));
}

Tensor TextTower::forward(const Tensor& ids) const {
  TORCH_CHECK(ids.size(1) <= config_.max_positions, "a text of ", ids.size(1), " tokens");
  Tensor x = at::embedding(words_, ids) + positions_.narrow(0, 0, ids.size(1));
  for (const Block& block : blocks_) x = run_block(block, x);
  return final_norm_(x);
}

}  // namespace hijack
