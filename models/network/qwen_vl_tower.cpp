#include "models/network/qwen_vl_tower.h"

#include "models/network/activation_checkpointing.h"
#include "models/network/attention.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

constexpr double kEpsilon = 1e-6;

/// Attention over all of an image, or inside of each window where there are groups. [N,H,P,d]
Tensor attend(const Tensor& query, const Tensor& key, const Tensor& value,
              const std::vector<AttentionWindows::Group>& groups) {
  if (groups.empty()) return attention(query, key, value, {}, /*causal=*/false);
  std::vector<Tensor> outputs;
  int64_t begin = 0;
  for (const auto& [windows, tokens] : groups) {
    const int64_t length = windows * tokens;
    const auto apart = [&, count = windows](const Tensor& all) {  // -> [N*windows,H,tokens,d]
      return all.narrow(2, begin, length).unflatten(2, {count, -1}).transpose(1, 2).flatten(0, 1);
    };
    const Tensor seen = attention(apart(query), apart(key), apart(value), {}, /*causal=*/false);
    outputs.push_back(seen.unflatten(0, {query.size(0), -1}).transpose(1, 2).flatten(2, 3));
    begin += length;
  }
  return outputs.size() == 1 ? outputs.front() : at::cat(outputs, 2);
}

}  // namespace

AttentionWindows::AttentionWindows(int64_t rows, int64_t columns, int64_t side) {
  const int64_t rest_rows = rows % side, rest_columns = columns % side;
  const auto group = [&](int64_t top, int64_t left, int64_t height, int64_t width, int64_t down,
                         int64_t across) {
    if (height == 0 || width == 0 || down == 0 || across == 0) return;
    groups.push_back({down * across, height * width});
    for (int64_t window = 0; window < down * across; ++window)
      for (int64_t y = 0; y < height; ++y)
        for (int64_t x = 0; x < width; ++x)
          order.push_back((top + window / across * height + y) * columns + left + window % across * width +
                          x);
  };
  group(0, 0, side, side, rows / side, columns / side);
  group(0, columns - rest_columns, side, rest_columns, rows / side, 1);
  group(rows - rest_rows, 0, rest_rows, side, 1, columns / side);
  group(rows - rest_rows, columns - rest_columns, rest_rows, rest_columns, 1, 1);
}

QwenVlTower::Norm QwenVlTower::norm(const ParameterSource& source, const std::string& name,
                                    int64_t width) const {
  if (config_.rms_norms) return RmsNorm(source, name, width, kEpsilon);
  return LayerNorm(source, name, width, kEpsilon);
}

QwenVlTower::Merger QwenVlTower::merger(const ParameterSource& source, const std::string& name,
                                        bool norm_after) const {
  const int64_t together = config_.width * config_.merge * config_.merge;
  return {norm(source, name + ".norm", norm_after ? together : config_.width),
          Linear(source, name + ".fc1", together, together, /*with_bias=*/true),
          Linear(source, name + ".fc2", together, config_.output_width, /*with_bias=*/true), norm_after};
}

QwenVlTower::QwenVlTower(const QwenVlVisionConfig& config, const ParameterSource& source,
                         const std::string& prefix)
    : config_(config) {
  const int64_t width = config.width;
  const std::string patches = prefix + ".patch_embed.proj";
  const Tensor weight =
      source(patches + ".weight", {width, 3, config.temporal, config.patch, config.patch}).flatten(1);
  stream_type_ = weight.scalar_type();
  patch_ = Linear(weight, config.patch_bias ? source(patches + ".bias", {width}) : Tensor(), source.autocast);
  if (config.positions > 0) position_table_ = source(prefix + ".pos_embed.weight", {config.positions, width});
  for (int64_t i = 0; i < config.layers; ++i) {
    const std::string name = prefix + ".blocks." + std::to_string(i);
    const auto linear = [&](const char* part, int64_t in, int64_t out) {
      return Linear(source, name + part, in, out, /*with_bias=*/true);
    };
    blocks_.push_back({norm(source, name + ".norm1", width), norm(source, name + ".norm2", width),
                       linear(".attn.qkv", width, 3 * width), linear(".attn.proj", width, width),
                       config.gated_mlp ? linear(".mlp.gate_proj", width, config.mlp_width) : Linear(),
                       linear(config.gated_mlp ? ".mlp.up_proj" : ".mlp.fc1", width, config.mlp_width),
                       linear(config.gated_mlp ? ".mlp.down_proj" : ".mlp.fc2", config.mlp_width, width)});
  }
  merger_ = merger(source, prefix + ".merger", /*norm_after=*/false);
  for (size_t i = 0; i < config.deep_blocks.size(); ++i)
    deep_mergers_.push_back(
        merger(source, prefix + ".deepstack_merger_list." + std::to_string(i), /*norm_after=*/true));
}

Tensor QwenVlTower::in_order(const Tensor& grid) const {
  const int64_t merge = config_.merge;
  return grid.unflatten(1, {-1, merge}).unflatten(0, {-1, merge}).transpose(1, 2).flatten(0, 3);
}

Tensor QwenVlTower::in_windows(const Tensor& x, const Tensor& order, int64_t dim) const {
  if (!order.defined()) return x;
  return x.unflatten(dim, {order.size(0), -1}).index_select(dim, order).flatten(dim, dim + 1);
}

QwenVlTower::Layout QwenVlTower::layout_of(int64_t rows, int64_t columns) const {
  const int64_t half = config_.width / config_.heads / 2, merge = config_.merge;
  const auto options = patch_.weight.options().dtype(at::kFloat);
  // the same frequencies for rows and for columns: [half/2]
  const Tensor exponent = at::arange(0, half, 2, options) / half;
  const Tensor frequency = 1.0 / at::pow(at::scalar_tensor(config_.rope_theta, options), exponent);
  const auto angle = [&](const Tensor& positions) {  // [P,half/2]
    return in_order(positions.expand({rows, columns})).unsqueeze(1) * frequency;
  };
  Tensor once =
      at::cat({angle(at::arange(rows, options).unsqueeze(1)), angle(at::arange(columns, options))}, 1);
  Layout layout;
  if (config_.window > 0) {
    const AttentionWindows windows(rows / merge, columns / merge, config_.window);
    layout.order = constant_ids(windows.order, options.device());
    std::vector<int64_t> back(windows.order.size());
    for (size_t i = 0; i < back.size(); ++i)
      back[static_cast<size_t>(windows.order[i])] = static_cast<int64_t>(i);
    layout.back = constant_ids(back, options.device());
    layout.groups = windows.groups;
    for (auto& group : layout.groups) group.tokens *= merge * merge;
    once = in_windows(once, layout.order, 0);
  }
  const Tensor both = at::cat({once, once}, 1).unsqueeze(0).unsqueeze(0);  // [1,1,P,2*half]
  layout.rotary = {both.cos(), both.sin()};
  return layout;
}

namespace {

/// Where `count` points that span a row of `side` numbers lie in it: {number before, number after, how far
/// from the one before}, float32 as transformers computes it.
std::array<Tensor, 3> spread(int64_t count, int64_t side, const at::TensorOptions& options) {
  const Tensor place = at::arange(count, options) * (side - 1) / std::max<int64_t>(count - 1, 1);
  const Tensor before = place.floor();
  return {before.to(at::kLong).clamp_max(side - 1), (before.to(at::kLong) + 1).clamp_max(side - 1),
          place - before};
}

}  // namespace

Tensor QwenVlTower::positions_of(int64_t rows, int64_t columns) const {
  const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(config_.positions)));
  const Tensor table = position_table_.narrow(0, 0, side * side).view({side, side, -1}).to(at::kFloat);
  const auto between = [&](const Tensor& of, int64_t dim, int64_t count) {
    const auto [before, after, share] = spread(count, side, table.options());
    const Tensor part = dim == 0 ? share.view({-1, 1, 1}) : share.view({1, -1, 1});
    return of.index_select(dim, before) * (1 - part) + of.index_select(dim, after) * part;
  };
  return in_order(between(between(table, 0, rows), 1, columns));  // [P,E]
}

namespace {

template <class Norm>
Tensor normed(const Norm& norm, const Tensor& x) {
  return std::visit([&](const auto& kind) { return kind(x); }, norm);
}

}  // namespace

Tensor QwenVlTower::run_block(const Block& block, const Tensor& x, const Layout& layout, bool windows) const {
  const auto parts = block.mix(normed(block.norm1, x)).chunk(3, -1);
  const auto turned = [&](const Tensor& part) {  // in float32 whatever the model's dtype
    return apply_rotary(split_heads(part, config_.heads).to(at::kFloat), layout.rotary).to(x.scalar_type());
  };
  const Tensor mixed = attend(turned(parts[0]), turned(parts[1]), split_heads(parts[2], config_.heads),
                              windows ? layout.groups : std::vector<AttentionWindows::Group>());
  const Tensor seen = residual_sum(x, block.output(merge_heads(mixed)));
  const Tensor inner = normed(block.norm2, seen), up = block.up(inner);
  const Tensor wide =
      config_.gated_mlp ? gated(config_.activation, block.gate(inner), up) : activate(config_.activation, up);
  return residual_sum(seen, block.down(wide));
}

Tensor QwenVlTower::merged(const Merger& merger, const Tensor& x, const Layout& layout) const {
  const auto together = [&](const Tensor& patches) {
    return patches.reshape({x.size(0), -1, config_.merge * config_.merge * config_.width});
  };
  const Tensor tokens =
      merger.norm_after ? normed(merger.norm, together(x)) : together(normed(merger.norm, x));
  return in_windows(merger.down(at::gelu(merger.up(tokens))), layout.back, 1);
}

Tensor QwenVlTower::forward(const Tensor& pixels, int64_t rows, int64_t columns) const {
  TORCH_CHECK(pixels.dim() == 3 && pixels.size(1) == rows * columns, "pixels are not of this grid");
  const Layout layout = layout_of(rows, columns);
  Tensor x = patch_(pixels.to(stream_type_)).to(stream_type_);  // [N,P,E]
  if (position_table_.defined()) x = x + positions_of(rows, columns).to(x.scalar_type());
  x = in_windows(x, layout.order, 1);
  const int64_t kept =
      6 * config_.width + (config_.gated_mlp ? 2 : 1) * config_.mlp_width;  // as in VisionTower
  const BlockRunner run(x, !patch_.weight.requires_grad(), config_.layers,
                        x.size(0) * x.size(1) * kept * x.element_size());
  const auto is_in = [](const std::vector<int64_t>& list, int64_t i) {
    return std::find(list.begin(), list.end(), i) != list.end();
  };
  std::vector<Tensor> deep;
  for (int64_t i = 0; i < config_.layers; ++i) {
    const bool windows = config_.window > 0 && !is_in(config_.whole_blocks, i);
    const Block& block = blocks_[static_cast<size_t>(i)];
    x = run([this, &block, layout, windows](
                const auto& in) { return std::vector<Tensor>{run_block(block, in[0], layout, windows)}; },
            {x})[0];
    const auto found = std::find(config_.deep_blocks.begin(), config_.deep_blocks.end(), i);
    if (found != config_.deep_blocks.end())
      deep.push_back(
          merged(deep_mergers_[static_cast<size_t>(found - config_.deep_blocks.begin())], x, layout));
  }
  deep.insert(deep.begin(), merged(merger_, x, layout));
  return at::stack(deep, 1);
}

}  // namespace hijack
