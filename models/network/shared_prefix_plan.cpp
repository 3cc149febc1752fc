#include "models/network/shared_prefix_plan.h"

#include <tuple>

#include "models/network/attention_masks.h"
#include "models/network/shared_prefix_attention.h"
#include "src/base/kept.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

// Tokens that share a mask: where the prefix is copied for each group, few copies count more than few masked
// pairs; where it is not, masked pairs count, but a kernel's start is worth some.
constexpr int64_t kGroupTokensWithPrefix = 192, kGroupTokens = 48;

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

bool SharedPrefixPlan::cuts(const AttentionRule& rule) const {
  if (rule.window == 0) return false;
  const auto places = places_in_sequence(tokens_, prefix_.length());
  return !places.empty() && rule.window <= *std::max_element(places.begin(), places.end());
}

AttentionKernel SharedPrefixPlan::kernel(int64_t, const AttentionRule& rule) {
  const Tensor& like = prefix_.keys.front();
  if (prefix_.length() > 0 && rule.soft_cap == 0 && takes_shared_prefix(like) && !cuts(rule))
    return in_parts(rule);
  if (!with_prefix_) with_prefix_ = Groups::kept(prefix_.length(), kGroupTokensWithPrefix, tokens_, like);
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
  if (!own_) own_ = Groups::kept(0, kGroupTokens, tokens_, prefix_.keys.front());
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
  if (!at::GradMode::is_enabled()) kept_.append(key, value);  // for decoding
}

}  // namespace hijack
