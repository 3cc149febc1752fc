#include "models/network/vision_tower.h"

#include <cmath>

#include "models/checkpoint/config_json.h"
#include "models/network/activation_checkpointing.h"
#include "models/network/attention.h"
#include "src/base/error.h"
#include "src/base/upload.h"

namespace hijack {

struct VisionNames {
  const char *patch, *class_token, *position, *layer;  ///< of the embeddings, of block N
  const char *norm1, *norm2, *query, *key, *value, *output;
  const char* fused;  ///< query, key and value as one, or nullptr
  const char* post_norm;
  bool leading_axes;  ///< class token [1,1,D] and positions [1,T,D]
};

const VisionNames VisionConfig::kClipNames = {"patch_embedding",
                                              "class_embedding",
                                              "position_embedding.weight",
                                              ".encoder.layers.",
                                              "layer_norm1",
                                              "layer_norm2",
                                              "self_attn.q_proj",
                                              "self_attn.k_proj",
                                              "self_attn.v_proj",
                                              "self_attn.out_proj",
                                              nullptr,
                                              "post_layernorm",
                                              false};

namespace {

constexpr VisionNames kInternVitNames = {"patch_embeddings.projection",
                                         "cls_token",
                                         "position_embeddings",
                                         ".encoder.layer.",
                                         "layernorm_before",
                                         "layernorm_after",
                                         "attention.q_proj",
                                         "attention.k_proj",
                                         "attention.v_proj",
                                         "attention.projection_layer",
                                         nullptr,
                                         "layernorm",
                                         true};

constexpr VisionNames kEvaNames = {"patch_embedding",
                                   "class_embedding",
                                   "position_embedding",
                                   ".encoder.layers.",
                                   "layer_norm1",
                                   "layer_norm2",
                                   nullptr,
                                   nullptr,
                                   nullptr,
                                   "self_attn.projection",
                                   "self_attn.qkv",
                                   "post_layernorm",
                                   true};

VisionConfig internvit() {
  VisionConfig config = {
      .image_size = 448, .patch_size = 14, .width = 1024, .layers = 24, .heads = 16, .mlp_width = 4096};
  config.epsilon = 1e-6;
  config.activation = Activation::kGelu;
  config.patch_bias = config.layer_scale = true;
  config.pre_norm = config.query_bias = false;
  config.names = &kInternVitNames;
  return config;
}

VisionConfig eva() {
  VisionConfig config = {
      .image_size = 224, .patch_size = 14, .width = 1408, .layers = 39, .heads = 16, .mlp_width = 6144};
  config.epsilon = 1e-6;
  config.activation = Activation::kGelu;
  config.patch_bias = config.post_norm = true;
  config.pre_norm = false;
  config.names = &kEvaNames;
  return config;
}

/// By InternViT's names, which are those of DINOv2 but for a few (encoders/dinov2_encoder.cpp renames them).
VisionConfig dinov2() {
  VisionConfig config = internvit();
  config.image_size = 224;
  config.width = 768;
  config.layers = config.heads = 12;
  config.query_bias = config.post_norm = config.resampled = true;
  return config;
}

/// What the class of a model_type sets where the file does not.
VisionConfig class_defaults(const std::string& type) {
  VisionConfig config;
  if (type == "clip_vision_model") return config;
  if (type == "internvl_vision") return internvit();
  if (type == "instructblip_vision_model") return eva();
  if (type == "dinov2") return dinov2();
  config.class_token = config.pre_norm = false;
  config.patch_bias = true;
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

/// A side, or two equal ones, as InternVL writes them.
int64_t read_side(const ConfigReader& read, const char* key, int64_t fallback) {
  if (!read.has(key) || !read.raw(key).is_array()) return read.integer(key, fallback);
  const nlohmann::json& sides = read.raw(key);
  if (sides.size() != 2 || sides[0] != sides[1])
    throw Error("vision_config of config.json: " + std::string(key) + " must be one side or two equal ones");
  const nlohmann::json one = {{key, sides[0]}};
  return ConfigReader(one, "vision_config").integer(key, fallback);
}

/// DINOv2 says how wide its MLP is by a ratio; the giant's is gated and keeps two thirds of it.
void read_dinov2(const ConfigReader& read, VisionConfig& config) {
  config.query_bias = read.flag("qkv_bias", true);
  config.gated_mlp = read.flag("use_swiglu_ffn", false);
  const double ratio = read.number("mlp_ratio", 4);
  if (!(ratio > 0 && ratio <= 64)) throw Error("config.json: mlp_ratio must lie in (0,64]");
  config.mlp_width = static_cast<int64_t>(static_cast<double>(config.width) * ratio);
  if (config.gated_mlp)
    config.mlp_width = (static_cast<int64_t>(static_cast<double>(config.mlp_width) * 2 / 3) + 7) / 8 * 8;
}

/// What only InternViT, EVA and DINOv2 may choose.
void read_switches(const ConfigReader& read, VisionConfig& config) {
  if (config.resampled) return read_dinov2(read, config);
  if (config.names == &kEvaNames) config.query_bias = read.flag("qkv_bias", true);
  if (config.names != &kInternVitNames) return;
  config.query_bias = read.flag("attention_bias", false);
  config.query_norm = read.flag("use_qk_norm", false);
  config.post_norm = !read.flag("use_mean_pooling", true);
  const auto norm = read.text("norm_type", "layer_norm");
  if (norm != "layer_norm" && norm != "rms_norm")
    throw Error("vision_config of config.json: norm_type \"" + norm +
                "\" is not supported; layer_norm and rms_norm are");
  config.rms_norm = norm == "rms_norm";
  if (!read.flag("use_absolute_position_embeddings", true))
    throw Error("vision_config of config.json: use_absolute_position_embeddings false is not supported");
}

}  // namespace

VisionConfig VisionConfig::from_json(const nlohmann::json& json) {
  const ConfigReader read(json, "vision_config");
  VisionConfig config = class_defaults(read.text("model_type", "clip_vision_model"));
  config.image_size = read_side(read, "image_size", config.image_size);
  config.patch_size = read_side(read, "patch_size", config.patch_size);
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
  read_switches(read, config);
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

Tensor merge_patches(const Tensor& x, int64_t factor) {
  const auto side = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(x.size(1)))));
  TORCH_CHECK(side * side == x.size(1) && side % factor == 0, x.size(1), " patches by ", factor);
  const int64_t n = side / factor;
  return x.reshape({x.size(0), n, factor, n, factor, x.size(2)})
      .permute({0, 1, 3, 2, 4, 5})
      .reshape({x.size(0), n * n, factor * factor * x.size(2)});
}

VisionTower::VisionTower(const VisionConfig& config, const ParameterSource& source, const std::string& prefix,
                         int64_t layers_used)
    : config_(config), autocast_(source.autocast) {
  const int64_t width = config.width, tokens = config.patches() + (config.class_token ? 1 : 0);
  const VisionNames& names = *config.names;
  const std::string embeddings = prefix + ".embeddings.", patch = embeddings + names.patch;
  const auto read = [&](const char* part, const std::vector<int64_t>& shape, size_t leading) {
    if (!names.leading_axes) return source(embeddings + part, shape);
    std::vector<int64_t> stored(leading, 1);
    stored.insert(stored.end(), shape.begin(), shape.end());
    return source(embeddings + part, stored).view(shape);
  };
  patch_weight_ = source(patch + ".weight", {width, 3, config.patch_size, config.patch_size});
  if (config.patch_bias) patch_bias_ = source(patch + ".bias", {width});
  if (config.class_token) class_embedding_ = read(names.class_token, {width}, 2);
  if (config.pre_norm) pre_norm_ = LayerNorm(source, prefix + ".pre_layrnorm", width, config.epsilon);
  position_ = read(names.position, {tokens, width}, 1);
  for (int64_t i = 0; i < layers_used; ++i)
    blocks_.push_back(read_block(source, prefix + names.layer + std::to_string(i) + "."));
  if (config.post_norm) post_norm_ = LayerNorm(source, prefix + "." + names.post_norm, width, config.epsilon);
}

VisionTower::Block VisionTower::read_block(const ParameterSource& source, const std::string& name) const {
  const int64_t width = config_.width;
  const VisionNames& names = *config_.names;
  const auto norm = [&](const char* part) {
    if (config_.rms_norm) return Norm{{}, RmsNorm(source, name + part, width, config_.epsilon)};
    return Norm{LayerNorm(source, name + part, width, config_.epsilon), {}};
  };
  Block block;
  block.norm1 = norm(names.norm1);
  block.norm2 = norm(names.norm2);
  read_attention(source, name, block);
  block.up = Linear(source, name + "mlp.fc1", width, config_.mlp_width, /*with_bias=*/true);
  if (config_.gated_mlp)
    block.gate = Linear(source, name + "mlp.gate", width, config_.mlp_width, /*with_bias=*/true);
  block.down = Linear(source, name + "mlp.fc2", config_.mlp_width, width, /*with_bias=*/true);
  if (!config_.layer_scale) return block;
  block.scale1 = source(name + "lambda_1", {width});
  block.scale2 = source(name + "lambda_2", {width});
  return block;
}

void VisionTower::read_attention(const ParameterSource& source, const std::string& name, Block& block) const {
  const int64_t width = config_.width;
  const VisionNames& names = *config_.names;
  const auto part = [&](const char* stored) {
    return Linear(source, name + stored, width, width, config_.query_bias);
  };
  if (names.fused != nullptr) {
    const Linear all(source, name + names.fused, width, 3 * width, config_.query_bias);
    block.query = all.rows(0, width);
    block.key = all.rows(width, width);
    block.value = all.rows(2 * width, width);
  } else {
    block.query = part(names.query);
    block.key = part(names.key);
    block.value = part(names.value);
  }
  block.output = Linear(source, name + names.output, width, width, /*with_bias=*/true);
  if (!config_.query_norm) return;
  constexpr double kEpsilon = 1e-6;  // whatever layer_norm_eps says
  block.query_norm = RmsNorm(source, name + "attention.q_norm", width, kEpsilon);
  block.key_norm = RmsNorm(source, name + "attention.k_norm", width, kEpsilon);
}

namespace {

/// x + scale * what a block adds; consumes `added`.
Tensor add_scaled(const Tensor& x, Tensor added, const Tensor& scale) {
  return scale.defined() ? at::addcmul(x, added, scale) : residual_sum(x, std::move(added));
}

}  // namespace

Tensor VisionTower::run_block(const Block& block, const Tensor& x) const {
  const Tensor normed = block.norm1(x);
  const auto heads = [&](const Linear& part, const RmsNorm& norm) {
    const Tensor all = part(normed);
    return split_heads(norm.weight.defined() ? norm(all) : all, config_.heads);
  };
  const Tensor mixed = attention(heads(block.query, block.query_norm), heads(block.key, block.key_norm),
                                 heads(block.value, {}), {}, /*causal=*/false);
  const Tensor seen = add_scaled(x, block.output(merge_heads(mixed)), block.scale1);
  return add_scaled(seen, feed_forward(block, block.norm2(seen)), block.scale2);
}

Tensor VisionTower::feed_forward(const Block& block, const Tensor& x) const {
  return block.down(config_.gated_mlp ? gated(Activation::kSilu, block.gate(x), block.up(x))
                                      : activate(config_.activation, block.up(x)));
}

int64_t VisionTower::block_bytes(const Tensor& x) const {
  // inputs of the two norms, query, key, value and the mixed values, the activation's input
  return x.size(0) * x.size(1) * (6 * config_.width + config_.mlp_width) * x.element_size();
}

Tensor VisionTower::embed(const Tensor& pixels) const {
  const Tensor grid = convolution(pixels, patch_weight_, patch_bias_, config_.patch_size,
                                  autocast_);                                  // [N,D,rows,columns]
  Tensor x = grid.flatten(2).transpose(1, 2).to(patch_weight_.scalar_type());  // [N,T,D]
  if (config_.class_token)
    x = at::cat({class_embedding_.to(x.scalar_type()).expand({x.size(0), 1, -1}), x}, 1);
  x = x + positions(grid.size(2), grid.size(3));
  return config_.pre_norm ? pre_norm_(x) : x;
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

Tensor VisionTower::positions(int64_t rows, int64_t columns) const {
  if (config_.scaled_positions) return scaled_positions(rows, columns);
  const int64_t side = config_.image_size / config_.patch_size;
  if (!config_.resampled || (rows == side && columns == side)) return position_;
  const Tensor grid = position_.narrow(0, 1, side * side).view({1, side, side, config_.width});
  const Tensor sampled = at::upsample_bicubic2d(grid.permute({0, 3, 1, 2}).to(at::kFloat), {rows, columns},
                                                /*align_corners=*/false);
  return at::cat(
      {position_.narrow(0, 0, 1), sampled.to(position_.scalar_type()).flatten(2).squeeze(0).t()});  // [T,D]
}

Tensor VisionTower::scaled_positions(int64_t rows, int64_t columns) const {
  const Tensor ids = scaled_position_ids(rows, columns, config_.image_size / config_.patch_size);
  return position_.index_select(0, constant_ids(ids, position_.device()));
}

bool beyond_features(const std::string& name, const std::string& prefix, int64_t layers_used) {
  for (const char* part : {".post_layernorm.", ".layernorm.", ".head.", ".embeddings.mask_token"})
    if (name.starts_with(prefix + part)) return true;
  for (const char* part : {".encoder.layers.", ".encoder.layer."})
    if (const std::string layers = prefix + part; name.starts_with(layers))
      return std::atoll(name.c_str() + layers.size()) >= layers_used;
  return false;
}

}  // namespace hijack
