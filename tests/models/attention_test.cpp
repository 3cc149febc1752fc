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

}  // namespace
}  // namespace hijack::attention_test
