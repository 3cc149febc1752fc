#include "models/network/vision_tower.h"

#include "models/checkpoint/config_json.h"
#include "models/network/activation_checkpointing.h"
#include "models/network/attention.h"
#include "src/base/error.h"

namespace hijack {

namespace {

/// What the class of a model_type sets where the file does not.
VisionConfig class_defaults(const std::string& type) {
  VisionConfig config;
  if (type == "clip_vision_model") return config;
  config.class_token = false;
  config.patch_size = 16;
  config.epsilon = 1e-6;
  config.activation = Activation::kGeluTanh;
  if (type == "siglip_vision_model") return config;
  if (type != "idefics3_vision" && type != "smolvlm_vision")
    throw Error("vision tower \"" + type +
                "\" is not supported; clip_vision_model and siglip_vision_model are");
  config.patch_size = 32;
  config.width = 1152;
  config.heads = 16;
  config.post_norm = config.scaled_positions = true;
  return config;
}

}  // namespace

VisionConfig VisionConfig::from_json(const nlohmann::json& json) {
  const ConfigReader read(json, "vision_config");
  VisionConfig config = class_defaults(read.text("model_type", "clip_vision_model"));
  config.image_size = read.integer("image_size", config.image_size);
  config.patch_size = read.integer("patch_size", config.patch_size);
  config.width = read.integer("hidden_size", config.width);
  config.layers = read.integer("num_hidden_layers", config.layers);
  config.heads = read.integer("num_attention_heads", config.heads);
  config.mlp_width = read.integer("intermediate_size", config.mlp_width);
  config.epsilon = read.number("layer_norm_eps", config.epsilon);
  if (read.has("hidden_act")) config.activation = activation_from_name(read.text("hidden_act", {}));
  if (read.integer("num_channels", 3) != 3)
    throw Error("vision_config of config.json: num_channels must be 3");
  if (config.patch_size > config.image_size || config.width % config.heads != 0)
    throw Error(
        "vision_config of config.json: image_size must be at least patch_size and hidden_size a multiple of "
        "num_attention_heads");
  return config;
}

Tensor scaled_position_ids(int64_t rows, int64_t columns, int64_t side) {
  const double step = 1.0 / static_cast<double>(side);
  const Tensor boundaries = at::arange(step, 1.0, step, at::kFloat);
  const auto buckets = [&](int64_t count) {
    const Tensor fractions = at::arange(count, at::kFloat) * (1.0F / static_cast<float>(count));
    return at::bucketize(fractions.clamp_max(1.0 - 1e-6), boundaries, /*out_int32=*/false, /*right=*/true);
  };
  return (buckets(rows).unsqueeze(1) * side + buckets(columns)).flatten();
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
  if (config.post_norm) post_norm_ = LayerNorm(source, prefix + ".post_layernorm", width, config.epsilon);
}

Tensor VisionTower::run_block(const Block& block, const Tensor& x) const {
  const Tensor normed = block.norm1(x);
  const auto heads = [&](const Linear& part) { return split_heads(part(normed), config_.heads); };
  const Tensor mixed =
      attention(heads(block.query), heads(block.key), heads(block.value), {}, /*causal=*/false);
  const Tensor seen = block.output(merge_heads(mixed)).add_(x);
  return block.down(activate(config_.activation, block.up(block.norm2(seen)))).add_(seen);
}

int64_t VisionTower::block_bytes(const Tensor& x) const {
  // inputs of the two norms, query, key, value and the mixed values, the activation's input
  return x.size(0) * x.size(1) * (6 * config_.width + config_.mlp_width) * x.element_size();
}

Tensor VisionTower::embed(const Tensor& pixels) const {
  const std::optional<Tensor> bias =
      patch_bias_.defined() ? std::optional<Tensor>(patch_bias_) : std::nullopt;
  const Tensor grid = at::conv2d(pixels.to(patch_weight_.scalar_type()), patch_weight_, bias,
                                 config_.patch_size);  // [N,D,rows,columns]
  Tensor x = grid.flatten(2).transpose(1, 2);          // [N,T,D]
  if (config_.class_token)
    x = at::cat({class_embedding_.to(x.scalar_type()).expand({x.size(0), 1, -1}), x}, 1);
  x = x + (config_.scaled_positions ? scaled_positions(grid.size(2), grid.size(3)) : position_);
  return config_.class_token ? pre_norm_(x) : x;
}

Tensor VisionTower::forward(const Tensor& pixels) const {
  const Tensor x = forward(pixels, {static_cast<int64_t>(blocks_.size())})[0];
  return config_.post_norm ? post_norm_(x) : x;
}

std::vector<Tensor> VisionTower::forward(const Tensor& pixels,
                                         const std::vector<int64_t>& after_blocks) const {
  std::vector<Tensor> chosen(after_blocks.size());
  Tensor x = embed(pixels);
  const BlockRunner run(x, !position_.requires_grad(), static_cast<int64_t>(blocks_.size()), block_bytes(x));
  for (size_t done = 0;; ++done) {
    for (size_t i = 0; i < chosen.size(); ++i)
      if (after_blocks[i] == static_cast<int64_t>(done)) chosen[i] = x;
    if (done == blocks_.size()) return chosen;
    const auto pass = [this, &block = blocks_[done]](const auto& in) {
      return std::vector<Tensor>{run_block(block, in[0])};
    };
    x = run(pass, {x})[0];
  }
}

Tensor VisionTower::scaled_positions(int64_t rows, int64_t columns) const {
  const Tensor ids = scaled_position_ids(rows, columns, config_.image_size / config_.patch_size);
  return position_.index_select(0, ids.to(position_.device()));
}

bool beyond_features(const std::string& name, const std::string& prefix, int64_t layers_used) {
  if (name.starts_with(prefix + ".post_layernorm.") || name.starts_with(prefix + ".head.")) return true;
  const std::string layers = prefix + ".encoder.layers.";
  return name.starts_with(layers) && std::atoll(name.c_str() + layers.size()) >= layers_used;
}

}  // namespace hijack
