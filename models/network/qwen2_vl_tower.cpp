#include "models/network/qwen2_vl_tower.h"

#include "models/checkpoint/config_json.h"
#include "models/network/activation_checkpointing.h"
#include "models/network/attention.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr double kEpsilon = 1e-6;

double read_rope_theta(const ConfigReader& read) {
  double theta = read.number("rope_theta", 10000.0);
  if (read.has("rope_parameters") && read.raw("rope_parameters").is_object()) {
    const ConfigReader rope(read.raw("rope_parameters"), "vision_config.rope_parameters");
    const auto type = rope.text("rope_type", rope.text("type", "axial"));
    if (type != "axial" && type != "default")
      throw Error("config.json: rope type \"" + type + "\" of the vision tower is not supported; axial is");
    theta = rope.number("rope_theta", theta);
  }
  if (theta <= 0) throw Error("config.json: rope_theta of the vision tower must be positive");
  return theta;
}

}  // namespace

Qwen2VlVisionConfig Qwen2VlVisionConfig::from_json(const nlohmann::json& json) {
  const ConfigReader read(json, "vision_config");
  Qwen2VlVisionConfig config;
  config.layers = read.integer("depth", read.integer("num_hidden_layers", config.layers));
  config.width = read.integer("embed_dim", config.width);
  config.heads = read.integer("num_heads", read.integer("num_attention_heads", config.heads));
  config.mlp_width = config.width * read.integer("mlp_ratio", 4);
  config.output_width = read.integer("hidden_size", config.output_width);
  config.patch = read.integer("patch_size", config.patch);
  config.merge = read.integer("spatial_merge_size", config.merge);
  config.temporal = read.integer("temporal_patch_size", config.temporal);
  config.activation = activation_from_name(read.text("hidden_act", "quick_gelu"));
  config.rope_theta = read_rope_theta(read);
  for (const char* channels : {"in_channels", "in_chans"})
    if (read.integer(channels, 3) != 3)
      throw Error("config.json: vision_config." + std::string(channels) + " must be 3");
  if (config.width % config.heads != 0 || config.width / config.heads % 4 != 0)
    throw Error("config.json: vision_config.embed_dim must be num_heads times a multiple of 4");
  if (config.patch > 1024 || config.merge > 64 || config.temporal > 64)
    throw Error(
        "config.json: patch_size, spatial_merge_size or temporal_patch_size of vision_config is too large");
  return config;
}

Qwen2VlTower::Qwen2VlTower(const Qwen2VlVisionConfig& config, const ParameterSource& source,
                           const std::string& prefix)
    : config_(config) {
  const int64_t width = config.width, merged = width * config.merge * config.merge;
  patch_weight_ =
      source(prefix + ".patch_embed.proj.weight", {width, 3, config.temporal, config.patch, config.patch})
          .flatten(1);
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string name = prefix + ".blocks." + std::to_string(i);
    const auto linear = [&](const char* part, int64_t in, int64_t out) {
      return Linear(source, name + part, in, out, /*with_bias=*/true);
    };
    blocks_.push_back({LayerNorm(source, name + ".norm1", width, kEpsilon),
                       LayerNorm(source, name + ".norm2", width, kEpsilon),
                       linear(".attn.qkv", width, 3 * width), linear(".attn.proj", width, width),
                       linear(".mlp.fc1", width, config.mlp_width),
                       linear(".mlp.fc2", config.mlp_width, width)});
  }
  merger_norm_ = LayerNorm(source, prefix + ".merger.ln_q", width, kEpsilon);
  merger1_ = Linear(source, prefix + ".merger.mlp.0", merged, merged, /*with_bias=*/true);
  merger2_ = Linear(source, prefix + ".merger.mlp.2", merged, config.output_width, /*with_bias=*/true);
}

Rotary Qwen2VlTower::rotary_of(int64_t rows, int64_t columns) const {
  const int64_t merge = config_.merge, half = config_.width / config_.heads / 2;
  const auto options = patch_weight_.options().dtype(at::kFloat);
  // the same frequencies for rows and for columns: [half/2]
  const Tensor exponent = at::arange(0, half, 2, options) / half;
  const Tensor frequency = 1.0 / at::pow(at::scalar_tensor(config_.rope_theta, options), exponent);
  const auto angle = [&](const Tensor& positions) {  // [rows,columns] -> [P,half/2], in the patches' order
    const Tensor ordered = positions.expand({rows, columns})
                               .reshape({rows / merge, merge, columns / merge, merge})
                               .transpose(1, 2)
                               .flatten();
    return ordered.unsqueeze(1) * frequency;
  };
  const Tensor once =
      at::cat({angle(at::arange(rows, options).unsqueeze(1)), angle(at::arange(columns, options))}, 1);
  const Tensor both = at::cat({once, once}, 1).unsqueeze(0).unsqueeze(0);  // [1,1,P,2*half]
  return {both.cos(), both.sin()};
}

Tensor Qwen2VlTower::run_block(const Block& block, const Tensor& x, const Rotary& rotary) const {
  const auto parts = block.mix(block.norm1(x)).chunk(3, -1);
  const auto turned = [&](const Tensor& part) {  // in float32 whatever the model's dtype
    return apply_rotary(split_heads(part, config_.heads).to(at::kFloat), rotary).to(x.scalar_type());
  };
  const Tensor mixed = attention(turned(parts[0]), turned(parts[1]), split_heads(parts[2], config_.heads), {},
                                 /*causal=*/false);
  const Tensor seen = block.output(merge_heads(mixed)).add_(x);
  return block.down(activate(config_.activation, block.up(block.norm2(seen)))).add_(seen);
}

Tensor Qwen2VlTower::forward(const Tensor& pixels, int64_t rows, int64_t columns) const {
  TORCH_CHECK(pixels.dim() == 2 && pixels.size(0) == rows * columns, "pixels are not of this grid");
  const Rotary rotary = rotary_of(rows, columns);
  Tensor x = at::linear(pixels.to(patch_weight_.scalar_type()), patch_weight_).unsqueeze(0);  // [1,P,E]
  const int64_t kept = 6 * config_.width + config_.mlp_width;  // as in VisionTower, per token
  const BlockRunner run(x, !patch_weight_.requires_grad(), config_.layers,
                        x.size(1) * kept * x.element_size());
  for (const auto& block : blocks_)
    x = run([this, &block,
             rotary](const auto& in) { return std::vector<Tensor>{run_block(block, in[0], rotary)}; },
            {x})[0];
  const int64_t together = config_.merge * config_.merge;
  const Tensor merged = merger_norm_(x).reshape({1, rows * columns / together, together * config_.width});
  return merger2_(at::gelu(merger1_(merged)));
}

}  // namespace hijack
