#include "models/network/qformer.h"

#include "models/checkpoint/config_json.h"
#include "models/network/activation_checkpointing.h"
#include "models/network/attention.h"
#include "src/base/error.h"

namespace hijack {

QFormerConfig QFormerConfig::from_json(const nlohmann::json& json, int64_t tower_width) {
  const ConfigReader read(json, "qformer_config");
  QFormerConfig config;
  config.tower_width = tower_width;
  config.vocabulary = read.integer("vocab_size", config.vocabulary);
  config.width = read.integer("hidden_size", config.width);
  config.layers = read.integer("num_hidden_layers", config.layers);
  config.heads = read.integer("num_attention_heads", config.heads);
  config.mlp_width = read.integer("intermediate_size", config.mlp_width);
  config.max_positions = read.integer("max_position_embeddings", config.max_positions);
  config.cross_every = read.integer("cross_attention_frequency", config.cross_every);
  config.epsilon = read.number("layer_norm_eps", config.epsilon);
  config.activation = activation_from_name(read.text("hidden_act", "gelu"));
  if (config.width % config.heads != 0)
    throw Error("qformer_config of config.json: hidden_size must be a multiple of num_attention_heads");
  if (read.text("position_embedding_type", "absolute") != "absolute")
    throw Error("qformer_config of config.json: only position_embedding_type absolute is supported");
  return config;
}

QFormer::QFormer(const QFormerConfig& config, const ParameterSource& source, const std::string& prefix)
    : config_(config),
      words_(source(prefix + ".embeddings.word_embeddings.weight", {config.vocabulary, config.width})),
      positions_(
          source(prefix + ".embeddings.position_embeddings.weight", {config.max_positions, config.width})),
      norm_(source, prefix + ".embeddings.layernorm", config.width, config.epsilon) {
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string name = prefix + ".encoder.layer." + std::to_string(i) + ".";
    Block block;
    block.self = read_attention(source, name + "attention.", config.width);
    if (i % config.cross_every == 0)
      block.cross = read_attention(source, name + "crossattention.", config.tower_width);
    block.queries = read_feed_forward(source, name, "_query");
    block.text = read_feed_forward(source, name, "");
    blocks_.push_back(std::move(block));
  }
}

QFormer::Attention QFormer::read_attention(const ParameterSource& source, const std::string& name,
                                           int64_t keys) const {
  const int64_t width = config_.width;
  return {Linear(source, name + "attention.query", width, width, /*with_bias=*/true),
          Linear(source, name + "attention.key", keys, width, /*with_bias=*/true),
          Linear(source, name + "attention.value", keys, width, /*with_bias=*/true),
          Linear(source, name + "output.dense", width, width, /*with_bias=*/true),
          LayerNorm(source, name + "output.LayerNorm", width, config_.epsilon)};
}

QFormer::FeedForward QFormer::read_feed_forward(const ParameterSource& source, const std::string& name,
                                                const std::string& suffix) const {
  const std::string up = name + "intermediate" + suffix + ".dense", down = name + "output" + suffix;
  return {Linear(source, up, config_.width, config_.mlp_width, /*with_bias=*/true),
          Linear(source, down + ".dense", config_.mlp_width, config_.width, /*with_bias=*/true),
          LayerNorm(source, down + ".LayerNorm", config_.width, config_.epsilon)};
}

Tensor QFormer::attend(const Attention& part, const Tensor& x, const Tensor& seen) const {
  const auto heads = [&](const Linear& linear, const Tensor& of) {
    return split_heads(linear(of), config_.heads);
  };
  const Tensor mixed =
      attention(heads(part.query, x), heads(part.key, seen), heads(part.value, seen), {}, /*causal=*/false);
  return part.norm(residual_sum(x, part.output(merge_heads(mixed))));
}

Tensor QFormer::feed_forward(const FeedForward& part, const Tensor& x) const {
  return part.norm(residual_sum(x, part.down(activate(config_.activation, part.up(x)))));
}

Tensor QFormer::run_block(const Block& block, const Tensor& x, const Tensor& seen, int64_t queries,
                          bool last) const {
  const Tensor mixed = attend(block.self, x, x);
  Tensor asking = mixed.narrow(1, 0, queries);
  // an alias, so that a block adds one gradient of `seen` to the others', whether it is recomputed or not
  if (block.cross.query.weight.defined()) asking = attend(block.cross, asking, seen.view_as(seen));
  asking = feed_forward(block.queries, asking);
  if (last) return asking;
  const Tensor text = mixed.narrow(1, queries, mixed.size(1) - queries);
  return at::cat({asking, feed_forward(block.text, text)}, 1);
}

Tensor QFormer::forward(const Tensor& queries, const Tensor& question, const Tensor& seen) const {
  const int64_t length = question.size(0), count = queries.size(1);
  if (length > config_.max_positions)
    throw Error("a question of " + std::to_string(length) + " tokens does not fit the Q-Former's " +
                std::to_string(config_.max_positions) + "; shorten the prompt");
  const auto type = norm_.weight.scalar_type();
  const Tensor text = at::embedding(words_, question).to(type) + positions_.narrow(0, 0, length).to(type);
  Tensor x = norm_(at::cat({queries.to(type), text.unsqueeze(0)}, 1));
  // inputs of norms and linear layers, query, key and value of both attentions, two of the MLP
  const int64_t wide = 16 * config_.width + 2 * config_.mlp_width;
  const BlockRunner run(seen, !norm_.weight.requires_grad(), config_.layers,
                        x.size(1) * wide * x.element_size());
  for (const Block& block : blocks_) {
    const auto pass = [this, &block, count, last = &block == &blocks_.back()](const auto& in) {
      return std::vector<Tensor>{run_block(block, in[0], in[1], count, last)};
    };
    x = run(pass, {x, seen})[0];
  }
  return x;
}

}  // namespace hijack
