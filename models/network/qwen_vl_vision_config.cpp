// Reading QwenVlVisionConfig from config.json: the generations name things differently.
#include <cmath>

#include "models/checkpoint/config_json.h"
#include "models/network/qwen_vl_tower.h"
#include "models/network/rope_scaling.h"
#include "src/base/error.h"

namespace hijack {
namespace {

/// A list of blocks, each once; with `inside`, only blocks that the tower has.
std::vector<int64_t> read_blocks(const ConfigReader& read, const char* key, std::vector<int64_t> otherwise,
                                 int64_t layers, bool inside) {
  const auto fail = [&](const std::string& what) {
    throw Error("config.json: vision_config." + std::string(key) + " must be a list of blocks" + what);
  };
  std::vector<int64_t> blocks = std::move(otherwise);
  if (read.has(key)) {
    const auto& list = read.raw(key);
    if (!list.is_array()) fail("");
    blocks.clear();
    for (const auto& block : list) {
      if (!block.is_number_integer() || block.get<int64_t>() < 0 || block.get<int64_t>() >= (1 << 20))
        fail(", each a whole number from 0");
      blocks.push_back(block.get<int64_t>());
    }
  }
  std::vector<int64_t> sorted = blocks;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) fail(", each once");
  if (inside && !sorted.empty() && sorted.back() >= layers)
    fail(" of a tower that has " + std::to_string(layers));
  return blocks;
}

/// What all generations call the same.
void read_common(const ConfigReader& read, const char* width, QwenVlVisionConfig& config) {
  config.layers = read.integer("depth", read.integer("num_hidden_layers", config.layers));
  config.width = read.integer(width, config.width);
  config.heads = read.integer("num_heads", read.integer("num_attention_heads", config.heads));
  config.patch = read.integer("patch_size", config.patch);
  config.merge = read.integer("spatial_merge_size", config.merge);
  config.temporal = read.integer("temporal_patch_size", config.temporal);
  config.rope_theta = axial_rope_theta(read);
  for (const char* channels : {"in_channels", "in_chans"})
    if (read.integer(channels, 3) != 3)
      throw Error("config.json: vision_config." + std::string(channels) + " must be 3");
  if (config.width % config.heads != 0 || config.width / config.heads % 4 != 0)
    throw Error("config.json: vision_config." + std::string(width) +
                " must be num_heads times a multiple of 4");
  if (config.patch > 1024 || config.merge > 64 || config.temporal > 64)
    throw Error(
        "config.json: patch_size, spatial_merge_size or temporal_patch_size of vision_config is too large");
}

}  // namespace

QwenVlVisionConfig QwenVlVisionConfig::of_qwen2(const nlohmann::json& json) {
  const ConfigReader read(json, "vision_config");
  QwenVlVisionConfig config;
  read_common(read, "embed_dim", config);
  config.mlp_width = config.width * read.integer("mlp_ratio", 4);
  config.output_width = read.integer("hidden_size", config.output_width);
  config.activation = activation_from_name(read.text("hidden_act", "quick_gelu"));
  return config;
}

QwenVlVisionConfig QwenVlVisionConfig::of_qwen2_5(const nlohmann::json& json) {
  const ConfigReader read(json, "vision_config");
  QwenVlVisionConfig config;
  config.width = 3584;
  read_common(read, "hidden_size", config);
  config.mlp_width = read.integer("intermediate_size", 3420);
  config.output_width = read.integer("out_hidden_size", config.output_width);
  config.activation = activation_from_name(read.text("hidden_act", "silu"));
  config.rms_norms = config.gated_mlp = true;
  const int64_t window = read.integer("window_size", 112);
  config.window = window / config.merge / config.patch;
  if (config.window < 1)
    throw Error("config.json: a window of " + std::to_string(window) +
                " pixels (vision_config.window_size) is smaller than a token of " +
                std::to_string(config.merge * config.patch) + " pixels");
  config.whole_blocks =
      read_blocks(read, "fullatt_block_indexes", {7, 15, 23, 31}, config.layers, /*inside=*/false);
  return config;
}

QwenVlVisionConfig QwenVlVisionConfig::of_qwen3(const nlohmann::json& json) {
  const ConfigReader read(json, "vision_config");
  QwenVlVisionConfig config;
  config.layers = 27;
  config.width = 1152;
  config.patch = 16;
  read_common(read, "hidden_size", config);
  config.mlp_width = read.integer("intermediate_size", 4304);
  config.output_width = read.integer("out_hidden_size", config.output_width);
  config.activation = activation_from_name(read.text("hidden_act", "gelu_pytorch_tanh"));
  config.patch_bias = true;
  config.positions = read.integer("num_position_embeddings", 2304);
  config.deep_blocks =
      read_blocks(read, "deepstack_visual_indexes", {8, 16, 24}, config.layers, /*inside=*/true);
  return config;
}

}  // namespace hijack
