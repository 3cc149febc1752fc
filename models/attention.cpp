#include "models/attention.h"

namespace hijack {
namespace {

constexpr int64_t kGroupTokens = 192;

Tensor repeat_heads(const Tensor& x, int64_t heads) {
  const int64_t times = heads / x.size(1);
  return times == 1 ? x : x.repeat_interleave(times, 1);
}

// true where packed token i sees prefix (always) or packed token j of its own suffix with j <= i, or with
// both in the suffix's block
Tensor packed_mask(const std::vector<int64_t>& lengths, const std::vector<int64_t>& blocks, size_t first,
                   size_t last, int64_t prefix) {
  int64_t total = 0;
  for (size_t i = first; i < last; ++i) total += lengths[i];
  Tensor mask = at::zeros({total, prefix + total}, at::kBool);
  mask.narrow(1, 0, prefix).fill_(true);
  int64_t at_row = 0;
  for (size_t i = first; i < last; ++i) {
    const int64_t n = lengths[i];
    Tensor own = mask.narrow(0, at_row, n).narrow(1, prefix + at_row, n);
    own.copy_(at::ones({n, n}, at::kBool).tril());
    if (!blocks.empty()) own.narrow(0, 0, blocks[i]).narrow(1, 0, blocks[i]).fill_(true);
    at_row += n;
  }
  return mask.unsqueeze(0).unsqueeze(0);
}

}  // namespace

Tensor attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                 bool causal) {
  const Tensor k = repeat_heads(key, query.size(1));
  const Tensor v = repeat_heads(value, query.size(1));
  const std::optional<Tensor> seen = mask.defined() ? std::optional<Tensor>(mask) : std::nullopt;
  return at::scaled_dot_product_attention(query, k, v, seen, /*dropout_p=*/0.0, causal);
}

namespace {

void append(KeyValues& kept, const Tensor& key, const Tensor& value) {
  kept.keys.push_back(key);
  kept.values.push_back(value);
}

}  // namespace

AttentionKernel CausalPlan::kernel(int64_t) {
  return [](const Tensor& query, const Tensor& key, const Tensor& value, std::span<const Tensor>) {
    return attention(query, key, value, {}, /*causal=*/true);
  };
}

void CausalPlan::record(int64_t, const Tensor& key, const Tensor& value) {
  append(kept_, key, value);
}

AttentionKernel MaskedPlan::kernel(int64_t) {
  return
      [mask = mask_](const Tensor& query, const Tensor& key, const Tensor& value, std::span<const Tensor>) {
        return attention(query, key, value, mask, /*causal=*/false);
      };
}

SharedPrefixPlan::SharedPrefixPlan(const KeyValues& prefix, const std::vector<int64_t>& lengths,
                                   at::Device device, const std::vector<int64_t>& blocks)
    : prefix_(prefix) {
  std::vector<Group> groups;
  int64_t begin = 0;
  for (size_t first = 0; first < lengths.size();) {
    size_t last = first;
    int64_t tokens = 0;
    while (last < lengths.size() && (last == first || tokens + lengths[last] <= kGroupTokens))
      tokens += lengths[last++];
    const Tensor mask = packed_mask(lengths, blocks, first, last, prefix.length());
    groups.push_back({begin, begin + tokens, mask.to(device)});
    begin += tokens;
    first = last;
  }
  groups_ = std::make_shared<const std::vector<Group>>(std::move(groups));
}

AttentionKernel SharedPrefixPlan::kernel(int64_t) {
  return [groups = groups_](const Tensor& query, const Tensor& key, const Tensor& value,
                            std::span<const Tensor> shared) {
    std::vector<Tensor> outputs;
    for (const auto& group : *groups) {
      const int64_t n = group.end - group.begin;
      const Tensor k = at::cat({shared[0], key.narrow(2, group.begin, n)}, 2);
      const Tensor v = at::cat({shared[1], value.narrow(2, group.begin, n)}, 2);
      outputs.push_back(attention(query.narrow(2, group.begin, n), k, v, group.mask, /*causal=*/false));
    }
    return outputs.size() == 1 ? outputs.front() : at::cat(outputs, 2);
  };
}

std::vector<Tensor> SharedPrefixPlan::shared(int64_t layer) const {
  const auto at = static_cast<size_t>(layer);
  return {prefix_.keys.at(at), prefix_.values.at(at)};
}

void SharedPrefixPlan::record(int64_t, const Tensor& key, const Tensor& value) {
  if (!at::GradMode::is_enabled()) append(kept_, key, value);  // for decoding
}

CachePlan::CachePlan(const KeyValues& prefix, const KeyValues& suffixes, const std::vector<int64_t>& lengths,
                     const std::vector<int64_t>& next, int64_t room) {
  const auto rows = static_cast<int64_t>(lengths.size());
  const int64_t p = prefix.length();
  longest_ = p + *std::max_element(lengths.begin(), lengths.end());
  filled_ = at::tensor(lengths, at::kLong).to(suffixes.keys.front().device()) + p;
  next_ = at::tensor(next, filled_.options());
  const auto build = [&](const Tensor& shared, const Tensor& packed) {
    Tensor cache = at::zeros({rows, packed.size(1), longest_ + room, packed.size(3)}, packed.options());
    if (p > 0) cache.narrow(2, 0, p).copy_(shared.expand({rows, -1, -1, -1}));
    int64_t begin = 0;
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t n = lengths[static_cast<size_t>(i)];
      cache.select(0, i).narrow(1, p, n).copy_(packed.select(0, 0).narrow(1, begin, n));
      begin += n;
    }
    return cache;
  };
  for (size_t layer = 0; layer < suffixes.keys.size(); ++layer) {
    cache_.keys.push_back(build(p > 0 ? prefix.keys[layer] : Tensor(), suffixes.keys[layer]));
    cache_.values.push_back(build(p > 0 ? prefix.values[layer] : Tensor(), suffixes.values[layer]));
  }
}

Tensor CachePlan::positions() const {
  return next_.unsqueeze(1);
}

AttentionKernel CachePlan::kernel(int64_t layer) {
  return [this, layer](const Tensor& query, const Tensor& key, const Tensor& value, std::span<const Tensor>) {
    return attend(layer, query, key, value);
  };
}

Tensor CachePlan::attend(int64_t layer, const Tensor& query, const Tensor& key, const Tensor& value) {
  if (layer == 0) {
    const Tensor columns = at::arange(longest_ + 1, filled_.options());
    mask_ = (columns.unsqueeze(0) <= filled_.unsqueeze(1)).unsqueeze(1).unsqueeze(1);  // [N,1,1,longest+1]
  }
  Tensor& keys = cache_.keys[static_cast<size_t>(layer)];
  Tensor& values = cache_.values[static_cast<size_t>(layer)];
  const Tensor row = at::arange(filled_.size(0), filled_.options());
  keys.index_put_({row, at::indexing::Slice(), filled_}, key.squeeze(2));
  values.index_put_({row, at::indexing::Slice(), filled_}, value.squeeze(2));
  return attention(query, keys.narrow(2, 0, longest_ + 1), values.narrow(2, 0, longest_ + 1), mask_, false);
}

void CachePlan::advance() {
  filled_ = filled_ + 1;
  next_ = next_ + 1;
  ++longest_;
}

void CachePlan::keep(const Tensor& rows) {
  for (auto& keys : cache_.keys) keys = keys.index_select(0, rows);
  for (auto& values : cache_.values) values = values.index_select(0, rows);
  filled_ = filled_.index_select(0, rows);
  next_ = next_.index_select(0, rows);
}

}  // namespace hijack
