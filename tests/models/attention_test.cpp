// Windows, blocks and capped scores against their formulas.
#include "models/network/attention.h"

#include <gtest/gtest.h>

#include "models/network/attention_masks.h"
#include "models/network/capped_attention.h"
#include "tests/support/finite_difference.h"

namespace hijack::attention_test {
namespace {

Tensor waves(at::IntArrayRef shape, double turn) {
  const Tensor flat = at::arange(c10::multiply_integers(shape), at::kDouble);
  return (flat * turn).sin().view(shape) * 1.5;
}

/// The formula, with every head and pair written out.
Tensor reference(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                 double scale, double cap) {
  const int64_t times = query.size(1) / key.size(1);
  const Tensor keys = key.repeat_interleave(times, 1), values = value.repeat_interleave(times, 1);
  const Tensor scores = (query.matmul(keys.transpose(2, 3)) * scale / cap).tanh() * cap;
  return (mask.defined() ? scores + mask : scores).softmax(-1).matmul(values);
}

TEST(CappedAttention, IsTheFormula) {
  const Tensor query = waves({2, 6, 3, 4}, 0.7), key = waves({2, 2, 5, 4}, 1.3),
               value = waves({2, 2, 5, 4}, 0.4);
  Tensor mask = at::zeros({1, 1, 3, 5}, at::kDouble);
  mask.index_put_({0, 0, 0, 4}, -INFINITY);
  for (const Tensor& seen : {Tensor(), mask})
    EXPECT_TRUE(at::allclose(capped_attention(query, key, value, seen, 0.6, 1.7),
                             reference(query, key, value, seen, 0.6, 1.7)));
  EXPECT_TRUE(at::allclose(capped_attention(query, key, value, mask == 0, 0.6, 1.7),
                           reference(query, key, value, mask, 0.6, 1.7)));
}

TEST(CappedAttention, Gradients) {
  const Tensor query = waves({2, 4, 3, 4}, 0.7), key = waves({2, 2, 5, 4}, 1.3),
               value = waves({2, 2, 5, 4}, 0.4);
  const Tensor weight = waves({2, 4, 3, 4}, 2.1);
  Tensor mask = at::zeros({1, 1, 3, 5}, at::kDouble);
  mask.index_put_({0, 0, 1, 2}, -INFINITY);
  const auto loss = [&](const Tensor& q, const Tensor& k, const Tensor& v) {
    return (capped_attention(q, k, v, mask, 0.6, 1.7) * weight).sum();
  };
  EXPECT_LT(worst_gradient_error([&](const Tensor& x) { return loss(x, key, value); }, query), 1e-7);
  EXPECT_LT(worst_gradient_error([&](const Tensor& x) { return loss(query, x, value); }, key), 1e-7);
  EXPECT_LT(worst_gradient_error([&](const Tensor& x) { return loss(query, key, x); }, value), 1e-7);
}

/// What token q may see of token k, told pair by pair.
bool sees(int64_t q, int64_t k, int64_t window, const TokenBlock& block, bool leaves) {
  const bool together = q >= block.begin && q < block.end && k >= block.begin && k < block.end;
  const bool near = window == 0 || k > q - window;
  return leaves ? (k <= q && near) || together : (k <= q || together) && near;
}

TEST(AttentionMasks, SayWhatIsSeen) {
  const TokenBlock block{5, 9};
  const int64_t past = 3, count = 8;
  AttentionMasks masks = AttentionMasks::of_sequence(past, count, std::span(&block, 1), at::zeros({1}));
  for (const int64_t window : {0, 1, 2, 3, 4, 7, 10, 11, 12, 100})
    for (const bool leaves : {false, true}) {
      const Tensor mask = masks.of({.window = window, .blocks_leave_window = leaves});
      ASSERT_EQ(mask.sizes(), (std::vector<int64_t>{1, 1, count, past + count}));
      for (int64_t q = 0; q < count; ++q)
        for (int64_t k = 0; k < past + count; ++k)
          EXPECT_EQ(mask.index({0, 0, q, k}).item<float>() == 0, sees(past + q, k, window, block, leaves))
              << window << " " << leaves << " " << q << " " << k;
    }
}

/// Output and gradients of query, key and value, one after another.
std::vector<Tensor> all_of(const std::function<Tensor(const Tensor&, const Tensor&, const Tensor&)>& attend,
                           const std::vector<Tensor>& given) {
  std::vector<Tensor> leaves;
  for (const Tensor& one : given) leaves.push_back(one.detach().clone().set_requires_grad(true));
  const Tensor out = attend(leaves[0], leaves[1], leaves[2]);
  std::vector<Tensor> all = torch::autograd::grad({(out * waves(out.sizes(), 2.1)).sum()}, leaves);
  all.insert(all.begin(), out.detach());
  return all;
}

TEST(SharedHeadAttention, IsAttentionWithRepeatedHeads) {
  AttentionMasks masks = AttentionMasks::of_sequence(2, 3, {}, waves({1}, 1));
  const Tensor rows = at::ones({2, 1, 1, 5}, at::kBool).triu(1);  // the same for every query
  rows.select(0, 1).zero_().select(2, 3).fill_(true);
  for (const bool one_token : {false, true}) {
    const std::vector<Tensor> given = {waves({2, 6, one_token ? 1 : 3, 4}, 0.7), waves({2, 2, 5, 4}, 1.3),
                                       waves({2, 2, 5, 4}, 0.4)};
    std::vector<Tensor> seen = {Tensor(), rows};
    if (!one_token) seen.insert(seen.end(), {masks.of({}), masks.of({}, 3)});
    for (size_t i = 0; i < seen.size(); ++i) {
      const Tensor plain = i == 3 ? seen[2] : seen[i];
      const auto shared = all_of([&](const auto& q, const auto& k,
                                     const auto& v) { return shared_head_attention(q, k, v, seen[i], {}); },
                                 given);
      const auto repeated = all_of(
          [&](const auto& q, const auto& k, const auto& v) {
            return attention(q, k.repeat_interleave(3, 1), v.repeat_interleave(3, 1), plain, false);
          },
          given);
      for (size_t part = 0; part < shared.size(); ++part)
        EXPECT_TRUE(at::allclose(shared[part], repeated[part])) << i << " " << part;
    }
  }
}

}  // namespace
}  // namespace hijack::attention_test
