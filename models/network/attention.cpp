#include "models/network/attention.h"

#include "models/network/attention_masks.h"
#include "models/network/capped_attention.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

Tensor repeat_heads(const Tensor& x, int64_t heads) {
  const int64_t times = heads / x.size(1);
  return times == 1 ? x : x.repeat_interleave(times, 1);
}

}  // namespace

Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask, bool causal,
                 const AttentionRule& rule) {
  const at::ScalarType type = value.scalar_type();
  const bool other_mask = mask.defined() && mask.is_floating_point() && mask.scalar_type() != type;
  if (query.scalar_type() != type || key.scalar_type() != type || other_mask)
    return attention(query.to(type), key.to(type), value, other_mask ? mask.to(type) : mask, causal, rule);
  if (rule.soft_cap > 0) {
    const double scale = rule.scale > 0 ? rule.scale : 1 / std::sqrt(static_cast<double>(query.size(3)));
    const Tensor seen = causal ? AttentionMasks::of_sequence(0, query.size(2), {}, query).of({}) : mask;
    return capped_attention(query, key, value, seen, scale, rule.soft_cap);
  }
  const std::optional<Tensor> seen = mask.defined() ? std::optional<Tensor>(mask) : std::nullopt;
  const std::optional<double> scale = rule.scale > 0 ? std::optional(rule.scale) : std::nullopt;
  const auto attend = [&](const Tensor& k, const Tensor& v, bool grouped) {
    return at::scaled_dot_product_attention(query, k, v, seen, /*dropout_p=*/0.0, causal, scale, grouped);
  };
  if (key.size(1) == query.size(1)) return attend(key, value, false);
  // a CPU's kernel shares key-value heads among query heads itself; of a GPU's kernels those for masks do not
  if (query.is_cpu()) return attend(key, value, true);
  if (!causal) return shared_head_attention(query, key, value, mask, rule);
  constexpr int64_t kNoKernel = 0;  // at::SDPBackend::math: repeats them by itself, and keeps all scores
  const int64_t kernel =
      at::_fused_sdp_choice(query, key, value, seen, /*dropout_p=*/0.0, causal, scale, /*enable_gqa=*/true);
  if (kernel != kNoKernel) return attend(key, value, true);
  return attend(repeat_heads(key, query.size(1)), repeat_heads(value, query.size(1)), false);
}

Tensor shared_head_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                             const AttentionRule& rule) {
  const int64_t times = query.size(1) / key.size(1), length = query.size(2);
  const Tensor folded = query.unflatten(1, {key.size(1), times}).flatten(2, 3);  // [N,K,times*L,d]
  const bool fits = !mask.defined() || mask.size(2) == 1 || mask.size(2) == folded.size(2);
  const Tensor seen = attention(folded, key, value, fits ? mask : mask.repeat({1, 1, times, 1}),
                                /*causal=*/false, rule);
  return seen.unflatten(2, {times, length}).flatten(1, 2);
}

int64_t mask_times(const Tensor& query, const Tensor& key, const AttentionRule& rule) {
  return query.is_cpu() || rule.soft_cap > 0 ? 1 : query.size(1) / key.size(1);
}

/// Made when the first layer's queries show how many tokens are new.
struct CausalPlan::Masks {
  std::vector<TokenBlock> blocks;
  std::shared_ptr<AttentionMasks> made;

  Tensor of(const AttentionRule& rule, int64_t past, const Tensor& query, int64_t times) {
    if (!made) made = AttentionMasks::kept_of_sequence(past, query.size(2), blocks, query);
    return made->of(rule, times);
  }
  /// Whether the kernel's own causal mask says it all.
  bool plain(const AttentionRule& rule, int64_t length) const {
    return blocks.empty() && (rule.window == 0 || rule.window >= length) && rule.soft_cap == 0;
  }
};

CausalPlan::CausalPlan(KeyValues past, std::vector<TokenBlock> blocks)
    : past_(std::move(past)), masks_(std::make_shared<Masks>()) {
  masks_->blocks = std::move(blocks);
}

AttentionKernel CausalPlan::kernel(int64_t layer, const AttentionRule& rule) {
  Tensor past_key, past_value;
  if (past_.length() > 0) {
    past_key = past_.keys.at(static_cast<size_t>(layer));
    past_value = past_.values.at(static_cast<size_t>(layer));
  }
  return [rule, past_key, past_value, masks = masks_](const Tensor& query, const Tensor& key,
                                                      const Tensor& value, std::span<const Tensor>) {
    const int64_t past = past_key.defined() ? past_key.size(2) : 0;
    const Tensor keys = past > 0 ? at::cat({past_key, key}, 2) : key;
    const Tensor values = past > 0 ? at::cat({past_value, value}, 2) : value;
    if (!masks->plain(rule, keys.size(2)))
      return attention(query, keys, values, masks->of(rule, past, query, mask_times(query, keys, rule)),
                       /*causal=*/false, rule);
    if (past == 0) return attention(query, keys, values, {}, /*causal=*/true, rule);
    // queries that nobody reads stand for the past, so that causal kernels need no mask
    const Tensor padded = at::constant_pad_nd(query, {0, 0, past, 0});
    return attention(padded, keys, values, {}, /*causal=*/true, rule).narrow(2, past, query.size(2));
  };
}

void CausalPlan::record(int64_t layer, const Tensor& key, const Tensor& value) {
  if (past_.length() == 0) return kept_.append(key, value);
  const auto at = static_cast<size_t>(layer);
  kept_.append(at::cat({past_.keys.at(at), key}, 2), at::cat({past_.values.at(at), value}, 2));
}

AttentionKernel MaskedPlan::kernel(int64_t, const AttentionRule& rule) {
  TORCH_CHECK(rule.window == 0, "the mask says what is seen");
  return [rule, mask = mask_](const Tensor& query, const Tensor& key, const Tensor& value,
                              std::span<const Tensor>) {
    return attention(query, key, value, mask, /*causal=*/false, rule);
  };
}

CachePlan::CachePlan(const KeyValues& prefix, const KeyValues& packed,
                     const std::vector<std::vector<int64_t>>& paths, const std::vector<int64_t>& next,
                     int64_t room) {
  const auto rows = static_cast<int64_t>(paths.size());
  const int64_t p = prefix.length();
  std::vector<int64_t> lengths;
  std::vector<Tensor> places;
  for (const auto& path : paths) {
    lengths.push_back(p + static_cast<int64_t>(path.size()));
    places.push_back(constant_ids(path, packed.keys.front().device()));
  }
  longest_ = *std::max_element(lengths.begin(), lengths.end());
  filled_ = constant_ids(lengths, packed.keys.front().device());
  next_ = constant_ids(next, filled_.device());
  const auto build = [&](const Tensor& shared, const Tensor& all) {
    Tensor cache = at::zeros({rows, all.size(1), longest_ + room, all.size(3)}, all.options());
    if (p > 0) cache.narrow(2, 0, p).copy_(shared.expand({rows, -1, -1, -1}));
    for (int64_t i = 0; i < rows; ++i) {
      const Tensor& place = places[static_cast<size_t>(i)];
      cache.select(0, i).narrow(1, p, place.size(0)).copy_(all.select(0, 0).index_select(1, place));
    }
    return cache;
  };
  for (size_t layer = 0; layer < packed.keys.size(); ++layer) {
    cache_.keys.push_back(build(p > 0 ? prefix.keys[layer] : Tensor(), packed.keys[layer]));
    cache_.values.push_back(build(p > 0 ? prefix.values[layer] : Tensor(), packed.values[layer]));
  }
}

Tensor CachePlan::positions() const {
  return next_.unsqueeze(1);
}

AttentionKernel CachePlan::kernel(int64_t layer, const AttentionRule& rule) {
  return [this, layer, rule](const Tensor& query, const Tensor& key, const Tensor& value,
                             std::span<const Tensor>) { return attend(layer, rule, query, key, value); };
}

Tensor CachePlan::mask(int64_t window) {
  Tensor& made = masks_[window];
  if (!made.defined()) {
    const Tensor columns = at::arange(longest_ + 1, filled_.options()).unsqueeze(0);
    const Tensor last = filled_.unsqueeze(1);
    made = columns <= last;
    if (window > 0) made = made.logical_and(columns > last - window);
    made = made.unsqueeze(1).unsqueeze(1);  // [N,1,1,longest+1]
  }
  return made;
}

Tensor CachePlan::attend(int64_t layer, const AttentionRule& rule, const Tensor& query, const Tensor& key,
                         const Tensor& value) {
  Tensor& keys = cache_.keys[static_cast<size_t>(layer)];
  Tensor& values = cache_.values[static_cast<size_t>(layer)];
  const Tensor row = at::arange(filled_.size(0), filled_.options());
  keys.index_put_({row, at::indexing::Slice(), filled_}, key.squeeze(2));
  values.index_put_({row, at::indexing::Slice(), filled_}, value.squeeze(2));
  return attention(query, keys.narrow(2, 0, longest_ + 1), values.narrow(2, 0, longest_ + 1),
                   mask(rule.window > longest_ ? 0 : rule.window), /*causal=*/false, rule);
}

void CachePlan::advance() {
  filled_ = filled_ + 1;
  next_ = next_ + 1;
  ++longest_;
  masks_.clear();
}

void CachePlan::keep(const Tensor& rows) {
  for (auto& keys : cache_.keys) keys = keys.index_select(0, rows);
  for (auto& values : cache_.values) values = values.index_select(0, rows);
  filled_ = filled_.index_select(0, rows);
  next_ = next_.index_select(0, rows);
  masks_.clear();
}

}  // namespace hijack
