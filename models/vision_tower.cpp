#include "models/vision_tower.h"

#include "models/attention.h"
#include "models/config_json.h"
#include "src/base/error.h"

namespace hijack {

VisionConfig VisionConfig::from_json(const nlohmann::json& json) {
  const ConfigReader read(json, "vision_config");
  const auto type = read.text("model_type", "clip_vision_model");
  if (type != "clip_vision_model" && type != "siglip_vision_model")
    throw Error("vision tower \"" + type +
                "\" is not supported; clip_vision_model and siglip_vision_model are");
  VisionConfig config;
  config.class_token = type == "clip_vision_model";
  config.image_size = read.integer("image_size", 224);
  config.patch_size = read.integer("patch_size", config.class_token ? 32 : 16);
  config.width = read.integer("hidden_size", 768);
  config.layers = read.integer("num_hidden_layers", 12);
  config.heads = read.integer("num_attention_heads", 12);
  config.mlp_width = read.integer("intermediate_size", 3072);
  config.epsilon = read.number("layer_norm_eps", config.class_token ? 1e-5 : 1e-6);
  config.activation =
      activation_from_name(read.text("hidden_act", config.class_token ? "quick_gelu" : "gelu_pytorch_tanh"));
  if (config.image_size % config.patch_size != 0 || config.width % config.heads != 0)
    throw Error(
        "vision_config of config.json: image_size must be a multiple of patch_size and hidden_size of "
        "num_attention_heads");
  return config;
}

VisionTower::VisionTower(const VisionConfig& config, const ParameterSource& source, const std::string& prefix,
                         int64_t layers_used)
    : config_(config) {
  const int64_t width = config.width;
  const std::string embeddings = prefix + ".embeddings.";
  patch_weight_ =
      source(embeddings + "patch_embedding.weight", {width, 3, config.patch_size, config.patch_size});
  if (config.class_token) {
    class_embedding_ = source(embeddings + "class_embedding", {width});
    pre_norm_ = LayerNorm(source, prefix + ".pre_layrnorm", width, config.epsilon);
  } else {
    patch_bias_ = source(embeddings + "patch_embedding.bias", {width});
  }
  position_ = source(embeddings + "position_embedding.weight",
                     {config.patches() + (config.class_token ? 1 : 0), width});
  for (int64_t i = 0; i < layers_used; ++i) {
    const std::string name = prefix + ".encoder.layers." + std::to_string(i);
    const auto linear = [&](const char* part, int64_t in, int64_t out) {
      return Linear(source, name + part, in, out, /*with_bias=*/true);
    };
    blocks_.push_back({LayerNorm(source, name + ".layer_norm1", width, config.epsilon),
                       LayerNorm(source, name + ".layer_norm2", width, config.epsilon),
                       linear(".self_attn.q_proj", width, width), linear(".self_attn.k_proj", width, width),
                       linear(".self_attn.v_proj", width, width), linear(".self_attn.out_proj", width, width),
                       linear(".mlp.fc1", width, config.mlp_width),
                       linear(".mlp.fc2", config.mlp_width, width)});
  }
}

Tensor VisionTower::run_block(const Block& block, const Tensor& x) const {
  const Tensor normed = block.norm1(x);
  const auto heads = [&](const Linear& part) { return split_heads(part(normed), config_.heads); };
  const Tensor mixed =
      attention(heads(block.query), heads(block.key), heads(block.value), {}, /*causal=*/false);
  const Tensor seen = x + block.output(merge_heads(mixed));
  return seen + block.down(activate(config_.activation, block.up(block.norm2(seen))));
}

Tensor VisionTower::forward(const Tensor& pixels) const {
  const std::optional<Tensor> bias =
      patch_bias_.defined() ? std::optional<Tensor>(patch_bias_) : std::nullopt;
  Tensor x = at::conv2d(pixels.to(patch_weight_.scalar_type()), patch_weight_, bias, config_.patch_size)
                 .flatten(2)
                 .transpose(1, 2);  // [N,T,D]
  if (config_.class_token)
    x = at::cat({class_embedding_.to(x.scalar_type()).expand({x.size(0), 1, -1}), x}, 1);
  x = x + position_;
  if (config_.class_token) x = pre_norm_(x);
  for (const auto& block : blocks_) x = run_block(block, x);
  return x;
}

}  // namespace hijack
