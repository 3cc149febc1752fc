#include "models/network/decoder.h"

#include "models/checkpoint/weights.h"
#include "models/network/activation_checkpointing.h"
#include "src/base/upload.h"

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

namespace {

struct Part {
  const char* name;
  int64_t out;
};

/// Linear layers of one input, each stored by itself; or where there is a name for it, one below the other in
/// one matrix of the block.
std::vector<Linear> linears(const ParameterSource& source, const std::string& block, const char* packed,
                            std::initializer_list<Part> parts, int64_t in, bool bias) {
  std::vector<Linear> made;
  if (packed == nullptr) {
    for (const Part& part : parts) made.emplace_back(source, block + part.name, in, part.out, bias);
    return made;
  }
  int64_t rows = 0;
  for (const Part& part : parts) rows += part.out;
  const Linear all(source, block + packed, in, rows, bias);
  int64_t begin = 0;
  for (const Part& part : parts) {
    made.push_back(all.rows(begin, part.out));
    begin += part.out;
  }
  return made;
}

}  // namespace

Decoder::Decoder(const DecoderConfig& config, const ParameterSource& source, const std::string& body,
                 const std::string& head)
    : config_(config), autocast_(source.autocast) {
  embedding_ = source(body + ".embed_tokens.weight", {config.vocabulary, config.width});
  frequencies_ =
      rotary_frequencies(config.rotary_dim, config.rope_theta, config.rope_scaling).to(embedding_.device());
  if (const SlidingLayers& sliding = config.sliding; sliding.rope_theta)
    sliding_frequencies_ = rotary_frequencies(config.rotary_dim, *sliding.rope_theta, sliding.rope_scaling)
                               .to(embedding_.device());
  for (int64_t i = 0; i < config.layers; ++i)
    blocks_.push_back(make_block(source, body + ".layers." + std::to_string(i)));
  norm_ = RmsNorm(source, body + ".norm", config.width, config.epsilon, config.norm_adds_one);
  head_ = config.tied_head ? Linear(embedding_, {}, autocast_)
                           : Linear(source, head, config.width, config.vocabulary, /*with_bias=*/false);
}

Decoder::Block Decoder::make_block(const ParameterSource& source, const std::string& name) const {
  const DecoderConfig& c = config_;
  const auto linear = [&](const char* part, int64_t in, int64_t out, bool bias) {
    return Linear(source, name + part, in, out, bias);
  };
  const auto norm = [&](const char* part, int64_t width) {
    return RmsNorm(source, name + part, width, c.epsilon, c.norm_adds_one);
  };
  const int64_t query = c.heads * c.head_dim, keys = c.kv_heads * c.head_dim;
  Block block;
  block.norm1 = norm(".input_layernorm", c.width);
  block.norm2 = norm(c.outer_norms ? ".pre_feedforward_layernorm" : ".post_attention_layernorm", c.width);
  const std::vector<Linear> attention =
      linears(source, name, c.packed ? ".self_attn.qkv_proj" : nullptr,
              {{".self_attn.q_proj", query}, {".self_attn.k_proj", keys}, {".self_attn.v_proj", keys}},
              c.width, c.query_bias);
  block.query = attention[0], block.key = attention[1], block.value = attention[2];
  block.output = linear(".self_attn.o_proj", query, c.width, c.output_bias);
  const std::vector<Linear> wide =
      linears(source, name, c.packed ? ".mlp.gate_up_proj" : nullptr,
              {{".mlp.gate_proj", c.mlp_width}, {".mlp.up_proj", c.mlp_width}}, c.width, c.mlp_bias);
  block.gate = wide[0], block.up = wide[1];
  block.down = linear(".mlp.down_proj", c.mlp_width, c.width, c.mlp_bias);
  if (c.head_norms) {
    block.query_norm = norm(".self_attn.q_norm", c.head_dim);
    block.key_norm = norm(".self_attn.k_norm", c.head_dim);
  }
  if (c.outer_norms) {
    block.outer1 = norm(".post_attention_layernorm", c.width);
    block.outer2 = norm(".post_feedforward_layernorm", c.width);
  }
  return block;
}

Tensor Decoder::embed(const Tensor& ids) const {
  // weights may be stored narrower than the model computes
  const Tensor x = at::embedding(embedding_, ids).to(norm_.weight.scalar_type());
  if (config_.embedding_scale == 1) return x;
  return x * at::scalar_tensor(config_.embedding_scale, x.options());  // rounded to the model's dtype first
}

Decoder Decoder::with_changes(std::vector<StateChange> changes, int64_t layers) const {
  Decoder changed = *this;
  changed.changes_ = std::move(changes);
  changed.config_.layers = layers;
  changed.blocks_.resize(static_cast<size_t>(layers));
  return changed;
}

namespace {

/// states [N,L,D] after the change.
Tensor after_change(const StateChange& change, const Tensor& states, const std::vector<TokenKind>& kinds) {
  const auto apply = [&](const Tensor& some) { return change.apply(some).to(some.scalar_type()); };
  if (change.tokens == TokenChoice::kAll) return apply(states);
  TORCH_CHECK(static_cast<int64_t>(kinds.size()) == states.size(1), "a change chooses tokens of no kind");
  std::vector<int64_t> chosen;
  for (size_t t = 0; t < kinds.size(); ++t)
    if (is_chosen(kinds[t], change.tokens)) chosen.push_back(static_cast<int64_t>(t));
  if (chosen.empty()) return states;
  if (chosen.size() == kinds.size()) return apply(states);
  const Tensor places = constant_ids(chosen, states.device());
  return states.index_copy(1, places, apply(states.index_select(1, places)));
}

}  // namespace

Tensor Decoder::changed(const Hook& hook, Tensor states, const std::vector<TokenKind>& kinds) const {
  for (const StateChange& change : changes_)
    if (change.hook == hook) states = after_change(change, states, kinds);
  return states;
}

bool Decoder::changes_at(int64_t layer) const {
  return std::any_of(changes_.begin(), changes_.end(),
                     [&](const StateChange& change) { return change.hook.layer == layer; });
}

std::vector<Tensor> Decoder::run_block(int64_t layer, const std::vector<Tensor>& inputs, const Rotary& rotary,
                                       const AttentionKernel& attend, const Tensor& read,
                                       const std::vector<TokenKind>& kinds) const {
  const Block& block = blocks_[static_cast<size_t>(layer)];
  const Tensor& x = inputs[0];
  const Tensor normed = block.norm1(x);
  const auto turned = [&](const Linear& part, int64_t heads, const RmsNorm& norm) {
    const Tensor split = split_heads(part(normed), heads);
    return apply_rotary(config_.head_norms ? norm(split) : split, rotary, autocast_);
  };
  const auto behind = [&](const RmsNorm& norm, const Tensor& y) { return config_.outer_norms ? norm(y) : y; };
  const Tensor key = turned(block.key, config_.kv_heads, block.key_norm);
  const Tensor value = split_heads(block.value(normed), config_.kv_heads);
  if (read.defined() && read.numel() == 0) return {x.narrow(1, 0, 0), key, value};
  const Tensor query = turned(block.query, config_.heads, block.query_norm);
  const Tensor mixed = merge_heads(attend(query, key, value, std::span(inputs).subspan(1)));
  const auto read_of = [&](const Tensor& all) { return read.defined() ? all.index_select(1, read) : all; };
  // a change may keep what it is shown, so nothing is added in place where there are any
  const auto joined = [&](HookPoint point, const Tensor& added, const Tensor& stream) {
    return changes_.empty() ? residual_sum(stream, added)
                            : changed({point, layer + 1}, added, kinds) + stream;
  };
  const Tensor seen =
      joined(HookPoint::kAttention, behind(block.outer1, block.output(read_of(mixed))), read_of(x));
  const Tensor inner = block.norm2(seen);
  const Tensor wide = gated(config_.activation, block.gate(inner), block.up(inner));
  return {joined(HookPoint::kMlp, behind(block.outer2, block.down(wide)), seen), key, value};
}

int64_t Decoder::block_bytes(const Tensor& x) const {
  // inputs of the norms, query and mixed values, key and value, two of the MLP
  const int64_t heads = config_.heads + config_.kv_heads, norms = config_.outer_norms ? 4 : 2;
  const int64_t wide =
      norms * config_.width + (config_.head_norms ? 3 : 2) * heads * config_.head_dim + 2 * config_.mlp_width;
  return x.size(0) * x.size(1) * wide * x.element_size();
}

Tensor Decoder::forward(const DecoderInput& input, AttentionPlan& plan, const Tensor& read) const {
  return norm_(blocks(input, plan, config_.layers, read));
}

void Decoder::prefill(const DecoderInput& input, AttentionPlan& plan) const {
  blocks(input, plan, config_.layers, at::empty({0}, input.positions.options()));
}

std::pair<Rotary, Rotary> Decoder::turns(const Tensor& positions) const {
  const auto turn = [&](const Tensor& frequencies, const RopeScaling& scaling) {
    Rotary made = rotary(positions, frequencies, config_.mrope_axes);
    if (const double longer = scaling.attention_factor; longer != 1)
      made = {made.cosine * longer, made.sine * longer};
    return made;
  };
  const Rotary full = turn(frequencies_, config_.rope_scaling);
  if (!sliding_frequencies_.defined()) return {full, full};
  return {full, turn(sliding_frequencies_, config_.sliding.rope_scaling)};
}

Tensor Decoder::blocks(const DecoderInput& input, AttentionPlan& plan, int64_t layers,
                       const Tensor& read) const {
  const auto [full, sliding] = turns(input.positions);
  const BlockRunner run(input.x, frozen() && changes_.empty(), layers, block_bytes(input.x));
  const DeepFeatures& deep = input.deep;
  Tensor hidden = changed({HookPoint::kResidual, 0}, input.x, input.kinds);
  for (int64_t layer = 0; layer < layers; ++layer) {
    std::vector<Tensor> inputs = plan.shared(layer);
    inputs.insert(inputs.begin(), hidden);
    const bool added = deep.places.defined() && layer < deep.added.size(0);
    const Tensor wanted = layer + 1 == layers ? read : Tensor();
    const bool whole = added || changes_at(layer + 1);
    const auto pass = [this, layer, turn = config_.slides(layer) ? sliding : full,
                       attend = plan.kernel(layer, config_.rule(layer)), wanted = whole ? Tensor() : wanted,
                       kinds =
                           whole ? input.kinds : std::vector<TokenKind>()](const std::vector<Tensor>& given) {
      return run_block(layer, given, turn, attend, wanted, kinds);
    };
    const auto outputs = run(pass, inputs);
    hidden = outputs[0];
    plan.record(layer, outputs[1], outputs[2]);
    if (!whole) continue;
    if (added) hidden = hidden.index_add(1, deep.places, deep.added[layer].unsqueeze(0));
    hidden = changed({HookPoint::kResidual, layer + 1}, hidden, input.kinds);
    if (wanted.defined()) hidden = hidden.index_select(1, wanted);
  }
  return hidden;
}

Tensor Decoder::logits(const Tensor& hidden) const {
  const Tensor logits = head_(hidden).to(at::kFloat);
  return config_.logit_cap > 0 ? (logits / config_.logit_cap).tanh() * config_.logit_cap : logits;
}

}  // namespace hijack
