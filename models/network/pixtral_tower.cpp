#include "models/network/pixtral_tower.h"

#include "models/checkpoint/config_json.h"
#include "models/network/activation_checkpointing.h"
#include "models/network/attention.h"
#include "models/network/rope_scaling.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr double kPixtralEpsilon = 1e-5;

}  // namespace

PixtralVisionConfig PixtralVisionConfig::from_json(const nlohmann::json& json) {
  const ConfigReader read(json, "vision_config");
  if (const auto type = read.text("model_type", "pixtral"); type != "pixtral")
    throw Error("config.json: vision tower \"" + type.substr(0, 50) + "\" is not supported here; pixtral is");
  PixtralVisionConfig config;
  config.layers = read.integer("num_hidden_layers", config.layers);
  config.width = read.integer("hidden_size", config.width);
  config.heads = read.integer("num_attention_heads", config.heads);
  config.mlp_width = read.integer("intermediate_size", config.mlp_width);
  config.patch = read.integer("patch_size", config.patch);
  config.activation = activation_from_name(read.text("hidden_act", "gelu"));
  config.rope_theta = axial_rope_theta(read);
  if (read.integer("num_channels", 3) != 3) throw Error("config.json: vision_config.num_channels must be 3");
  if (config.width % config.heads != 0 || config.width / config.heads % 4 != 0)
    throw Error("config.json: vision_config.hidden_size must be num_attention_heads times a multiple of 4");
  if (config.patch > 1024) throw Error("config.json: vision_config.patch_size is too large");
  return config;
}

PixtralTower::PixtralTower(const PixtralVisionConfig& config, const ParameterSource& source,
                           const std::string& prefix, int64_t layers_used)
    : config_(config),
      autocast_(source.autocast),
      patch_weight_(source(prefix + ".patch_conv.weight", {config.width, 3, config.patch, config.patch})),
      frequencies_(rotary_frequencies(config.width / config.heads, config.rope_theta)
                       .to(patch_weight_.device())
                       .view({-1, 2})),
      pre_norm_(source, prefix + ".ln_pre", config.width, kPixtralEpsilon) {
  const int64_t width = config.width, wide = config.mlp_width;
  for (int64_t i = 0; i < layers_used; ++i) {
    const std::string name = prefix + ".transformer.layers." + std::to_string(i);
    const auto linear = [&](const char* part, int64_t in, int64_t out) {
      return Linear(source, name + part, in, out, /*with_bias=*/false);
    };
    blocks_.push_back({RmsNorm(source, name + ".attention_norm", width, kPixtralEpsilon),
                       RmsNorm(source, name + ".ffn_norm", width, kPixtralEpsilon),
                       linear(".attention.q_proj", width, width), linear(".attention.k_proj", width, width),
                       linear(".attention.v_proj", width, width), linear(".attention.o_proj", width, width),
                       linear(".feed_forward.gate_proj", width, wide),
                       linear(".feed_forward.up_proj", width, wide),
                       linear(".feed_forward.down_proj", wide, width)});
  }
}

Rotary PixtralTower::rotary_of(int64_t rows, int64_t columns) const {
  // every other frequency turns by the row, the rest by the column
  const auto angle = [&](const Tensor& positions, int64_t which) {  // [rows,columns] -> [P,d/4]
    return positions.expand({rows, columns}).flatten().unsqueeze(1) * frequencies_.select(1, which);
  };
  const auto options = frequencies_.options();
  const Tensor once =
      at::cat({angle(at::arange(rows, options).unsqueeze(1), 0), angle(at::arange(columns, options), 1)}, 1);
  const Tensor both = at::cat({once, once}, 1).unsqueeze(0).unsqueeze(0);  // [1,1,P,d]
  return {both.cos(), both.sin()};
}

Tensor PixtralTower::run_block(const Block& block, const Tensor& x, const Rotary& rotary) const {
  const Tensor normed = block.norm1(x);
  const auto heads = [&](const Linear& part) { return split_heads(part(normed), config_.heads); };
  const auto turned = [&](const Linear& part) { return apply_rotary(heads(part), rotary, part.autocast); };
  const Tensor mixed =
      attention(turned(block.query), turned(block.key), heads(block.value), {}, /*causal=*/false);
  const Tensor seen = residual_sum(x, block.output(merge_heads(mixed)));
  const Tensor inner = block.norm2(seen);
  return residual_sum(seen, block.down(gated(config_.activation, block.gate(inner), block.up(inner))));
}

Tensor PixtralTower::forward(const Tensor& pixels) const {
  const Tensor grid = convolution(pixels, patch_weight_, {}, config_.patch, autocast_);  // [N,E,r,c]
  const Rotary rotary = rotary_of(grid.size(2), grid.size(3));
  Tensor x = pre_norm_(grid.flatten(2).transpose(1, 2));
  const int64_t kept = 6 * config_.width + 2 * config_.mlp_width;  // per token
  const BlockRunner run(x, !patch_weight_.requires_grad(), static_cast<int64_t>(blocks_.size()),
                        x.size(0) * x.size(1) * kept * x.element_size());
  for (const auto& block : blocks_)
    x = run([this, &block,
             rotary](const auto& in) { return std::vector<Tensor>{run_block(block, in[0], rotary)}; },
            {x})[0];
  return x;
}

}  // namespace hijack
