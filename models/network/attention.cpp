#include "models/network/attention.h"

#include <tuple>

#include "models/network/attention_masks.h"
#include "models/network/capped_attention.h"
#include "models/network/shared_prefix_attention.h"
#include "src/base/kept.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

// Tokens that share a mask: where the prefix is copied for each group, few copies count more than few masked
// pairs; where it is not, masked pairs count, but a kernel's start is worth some.
constexpr int64_t kGroupTokensWithPrefix = 192, kGroupTokens = 48;

Tensor repeat_heads(const Tensor& x, int64_t heads) {
  const int64_t times = heads / x.size(1);
  return times == 1 ? x : x.repeat_interleave(times, 1);
}

/// Ancestors of tokens [begin,end) outside of them, ascending.
std::vector<int64_t> ancestors_before(const PackedTokens& tokens, int64_t begin, int64_t end) {
  std::set<int64_t> found;
  for (int64_t i = begin; i < end; ++i) {
    int64_t up = tokens.parents[static_cast<size_t>(i)];
    if (up >= begin) continue;  // its path leads through a token of the group
    while (up >= 0 && found.insert(up).second) up = tokens.parents[static_cast<size_t>(up)];
  }
  return {found.begin(), found.end()};
}

/// bool [n,P+A+n] for tokens [begin,end): columns of the prefix, of `before` and of the tokens.
Tensor packed_mask(const PackedTokens& tokens, int64_t begin, int64_t end, int64_t prefix,
                   const std::vector<int64_t>& before) {
  const int64_t n = end - begin, own = prefix + static_cast<int64_t>(before.size()), columns = own + n;
  Tensor mask = at::zeros({n, columns}, at::kBool);
  bool* const seen = mask.mutable_data_ptr<bool>();
  for (int64_t i = 0; i < n; ++i) {
    bool* const row = seen + i * columns;
    int64_t up = tokens.parents[static_cast<size_t>(begin + i)];
    if (up >= begin) {
      std::copy_n(seen + (up - begin) * columns, columns, row);
    } else {
      std::fill_n(row, prefix, true);
      for (; up >= 0; up = tokens.parents[static_cast<size_t>(up)])
        row[prefix + (std::lower_bound(before.begin(), before.end(), up) - before.begin())] = true;
    }
    row[own + i] = true;
  }
  return mask;
}

/// Pairs of one block, like packed_mask; undefined where tokens [begin,end) have no blocks.
Tensor packed_blocks(const PackedTokens& tokens, int64_t begin, int64_t end, int64_t own) {
  Tensor together;
  for (const TokenBlock& block : tokens.blocks) {
    if (block.begin < begin || block.begin >= end) continue;
    if (!together.defined()) together = at::zeros({end - begin, own + end - begin}, at::kBool);
    const int64_t first = block.begin - begin, size = block.end - block.begin;
    together.narrow(0, first, size).narrow(1, own + first, size).fill_(true);
  }
  return together;
}

/// The place of each packed token in its sequence, int64.
std::vector<int64_t> places_in_sequence(const PackedTokens& tokens, int64_t prefix) {
  std::vector<int64_t> places;
  for (const int64_t up : tokens.parents)
    places.push_back(up < 0 ? prefix : places[static_cast<size_t>(up)] + 1);
  return places;
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

namespace {

/// How often a mask's rows come for attention(), which is faster where it need not repeat them.
int64_t mask_times(const Tensor& query, const Tensor& key, const AttentionRule& rule) {
  return query.is_cpu() || rule.soft_cap > 0 ? 1 : query.size(1) / key.size(1);
}

void append(KeyValues& kept, const Tensor& key, const Tensor& value) {
  kept.keys.push_back(key);
  kept.values.push_back(value);
}

}  // namespace

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
  if (past_.length() == 0) return append(kept_, key, value);
  const auto at = static_cast<size_t>(layer);
  append(kept_, at::cat({past_.keys.at(at), key}, 2), at::cat({past_.values.at(at), value}, 2));
}

AttentionKernel MaskedPlan::kernel(int64_t, const AttentionRule& rule) {
  TORCH_CHECK(rule.window == 0, "the mask says what is seen");
  return [rule, mask = mask_](const Tensor& query, const Tensor& key, const Tensor& value,
                              std::span<const Tensor>) {
    return attention(query, key, value, mask, /*causal=*/false, rule);
  };
}

struct SharedPrefixPlan::Groups {
  struct Group {
    Tensor before;  // [A] ancestors outside of the group, undefined when there are none
    AttentionMasks masks;
    bool causal = false;  // one run without ancestors or blocks: a kernel's own causal mask says it all
  };
  std::vector<Group> all;
  std::vector<int64_t> sizes;

  /// prefix: tokens of the prefix that have columns in the masks. most: tokens of a group, but for a run
  /// that is longer.
  static std::shared_ptr<Groups> made(int64_t prefix, int64_t most, const PackedTokens& tokens,
                                      const Tensor& like);
  static std::shared_ptr<Groups> kept(int64_t prefix, int64_t most, const PackedTokens& tokens,
                                      const Tensor& like);
  int64_t mask_numbers(int64_t prefix) const {
    int64_t numbers = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      const int64_t before = all[i].before.defined() ? all[i].before.size(0) : 0;
      numbers += sizes[i] * (prefix + before + sizes[i]);
    }
    return numbers;
  }
};

std::shared_ptr<SharedPrefixPlan::Groups> SharedPrefixPlan::Groups::made(int64_t prefix, int64_t most,
                                                                         const PackedTokens& tokens,
                                                                         const Tensor& like) {
  auto groups = std::make_shared<Groups>();
  const std::vector<int64_t> places = places_in_sequence(tokens, prefix);
  const auto end_of = [&](size_t run) {
    return run + 1 < tokens.runs.size() ? tokens.runs[run + 1] : tokens.size();
  };
  for (size_t first = 0; first < tokens.runs.size();) {
    const int64_t begin = tokens.runs[first];
    size_t last = first + 1;
    while (last < tokens.runs.size() && end_of(last) - begin <= most) ++last;
    const int64_t end = end_of(last - 1);
    const auto before = ancestors_before(tokens, begin, end);
    std::vector<int64_t> keys(static_cast<size_t>(prefix));
    std::iota(keys.begin(), keys.end(), int64_t{0});
    for (const int64_t i : before) keys.push_back(places[static_cast<size_t>(i)]);
    keys.insert(keys.end(), places.begin() + begin, places.begin() + end);
    const Tensor seen = packed_mask(tokens, begin, end, prefix, before);
    const Tensor blocks = packed_blocks(tokens, begin, end, seen.size(1) - (end - begin));
    const Tensor own =
        at::tensor(std::vector<int64_t>(places.begin() + begin, places.begin() + end), at::kLong);
    groups->all.push_back({before.empty() ? Tensor() : constant_ids(before, like.device()),
                           AttentionMasks(seen, own, at::tensor(keys, at::kLong), blocks, like),
                           prefix == 0 && last == first + 1 && before.empty() && !blocks.defined()});
    groups->sizes.push_back(end - begin);
    first = last;
  }
  return groups;
}

/// A step's packing is that of the step before when it asks the same prompts: its masks are on the device.
std::shared_ptr<SharedPrefixPlan::Groups> SharedPrefixPlan::Groups::kept(int64_t prefix, int64_t most,
                                                                         const PackedTokens& tokens,
                                                                         const Tensor& like) {
  using Numbers = std::vector<int64_t>;
  using Key = std::tuple<int64_t, int64_t, Numbers, Numbers, Numbers, at::ScalarType, at::DeviceType,
                         at::DeviceIndex>;
  static auto& all = *new Kept<Key, std::shared_ptr<Groups>>(kMaskRoom);
  Numbers ends;
  for (const TokenBlock& block : tokens.blocks) ends.insert(ends.end(), {block.begin, block.end});
  const at::Device device = like.device();
  const Key key{
      prefix,        most,          tokens.parents, tokens.runs, std::move(ends), like.scalar_type(),
      device.type(), device.index()};
  if (const auto found = all.find(key)) return *found;
  const auto groups = made(prefix, most, tokens, like);
  all.keep(key, groups, groups->mask_numbers(prefix));
  return groups;
}

SharedPrefixPlan::SharedPrefixPlan(const KeyValues& prefix, PackedTokens tokens)
    : prefix_(prefix),
      tokens_(std::move(tokens)),
      like_(at::empty({0}, prefix.keys.front().options().requires_grad(false))) {
  const auto places = places_in_sequence(tokens_, prefix.length());
  longest_ = places.empty() ? 0 : *std::max_element(places.begin(), places.end()) + 1;
}

AttentionKernel SharedPrefixPlan::kernel(int64_t, const AttentionRule& rule) {
  const bool cut = rule.window > 0 && rule.window < longest_;
  if (prefix_.length() > 0 && !cut && rule.soft_cap == 0 && takes_shared_prefix(like_)) return in_parts(rule);
  if (!with_prefix_) with_prefix_ = Groups::kept(prefix_.length(), kGroupTokensWithPrefix, tokens_, like_);
  return [rule, groups = with_prefix_](const Tensor& query, const Tensor& key, const Tensor& value,
                                       std::span<const Tensor> shared) {
    const auto queries = query.split_with_sizes(groups->sizes, 2);
    const auto keys = key.split_with_sizes(groups->sizes, 2);
    const auto values = value.split_with_sizes(groups->sizes, 2);
    const int64_t times = mask_times(query, key, rule);
    std::vector<Tensor> outputs;
    for (size_t i = 0; i < queries.size(); ++i) {
      const Tensor& before = groups->all[i].before;
      const auto seen = [&](const Tensor& prefix, const Tensor& all, const Tensor& own) {
        if (!before.defined()) return at::cat({prefix, own}, 2);
        return at::cat({prefix, all.index_select(2, before), own}, 2);
      };
      outputs.push_back(attention(queries[i], seen(shared[0], key, keys[i]),
                                  seen(shared[1], value, values[i]), groups->all[i].masks.of(rule, times),
                                  /*causal=*/false, rule));
    }
    return outputs.size() == 1 ? outputs.front() : at::cat(outputs, 2);
  };
}

AttentionKernel SharedPrefixPlan::in_parts(const AttentionRule& rule) {
  if (!own_) own_ = Groups::kept(0, kGroupTokens, tokens_, like_);
  return [rule, groups = own_](const Tensor& query, const Tensor& key, const Tensor& value,
                               std::span<const Tensor> shared) {
    std::vector<PackedGroup> parts;
    for (size_t i = 0; i < groups->all.size(); ++i) {
      Groups::Group& group = groups->all[i];
      // no window cuts here, and the rule's others are the whole pass's
      parts.push_back({groups->sizes[i], group.before, group.causal ? Tensor() : group.masks.of({})});
    }
    return shared_prefix_attention(query, key, value, shared[0], shared[1], std::move(parts),
                                   rule.scale > 0 ? std::optional(rule.scale) : std::nullopt);
  };
}

std::vector<Tensor> SharedPrefixPlan::shared(int64_t layer) const {
  const auto at = static_cast<size_t>(layer);
  return {prefix_.keys.at(at), prefix_.values.at(at)};
}

void SharedPrefixPlan::record(int64_t, const Tensor& key, const Tensor& value) {
  if (!at::GradMode::is_enabled()) append(kept_, key, value);  // for decoding
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
