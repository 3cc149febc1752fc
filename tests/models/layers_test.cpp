// The blocks with a backward pass of their own, against the formulas that autograd differentiates by itself.
#include "models/network/layers.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include "models/checkpoint/reply_rules.h"
#include "models/prefix/scores.h"
#include "src/base/random.h"
#include "tests/support/finite_difference.h"

namespace hijack::layers_test {
namespace {

using Function = std::function<Tensor(const Tensor&)>;

Tensor random_tensor(at::IntArrayRef shape, uint64_t seed, at::ScalarType type = at::kDouble) {
  return Random(seed).normal_tensor(shape).to(type);
}

/// Values and gradients of both at x, as far as the type of x goes.
void expect_same(const Function& own, const Function& plain, const Tensor& x, double tolerance) {
  const Tensor a = x.clone().requires_grad_(true), b = x.clone().requires_grad_(true);
  const Tensor of_own = own(a), of_plain = plain(b);
  EXPECT_TRUE(at::allclose(of_own, of_plain, tolerance, tolerance));
  const Tensor weights = random_tensor(of_own.sizes(), 99).to(of_own.scalar_type());
  const Tensor gradient = torch::autograd::grad({(of_own * weights).sum()}, {a})[0];
  const Tensor expected = torch::autograd::grad({(of_plain * weights).sum()}, {b})[0];
  EXPECT_GT(expected.abs().max().item<double>(), 0);
  EXPECT_TRUE(at::allclose(gradient, expected, tolerance, tolerance));
}

TEST(Layers, RmsNormDividesByTheRootMeanSquare) {
  const auto source = [](const std::string&, at::IntArrayRef shape) {
    return random_tensor(shape, 5, at::kFloat);
  };
  for (const bool adds_one : {false, true}) {
    const RmsNorm norm(source, "norm", 24, 1e-5, adds_one);
    const auto plain = [&](const Tensor& x) {
      const Tensor unit = x * at::rsqrt(x.square().mean(-1, true) + 1e-5);
      return unit * (adds_one ? norm.weight + 1 : norm.weight);
    };
    const Tensor x = random_tensor({2, 3, 24}, 6, at::kFloat);
    expect_same([&](const Tensor& at) { return norm(at); }, plain, x, 2e-5);
    EXPECT_LT(worst_gradient_error([&](const Tensor& at) { return norm(at).square(); }, x, {.step = 1e-2}),
              2e-2);
  }
}

class Activations : public testing::TestWithParam<Activation> {};

TEST_P(Activations, GateKeepsLessAndSaysTheSame) {
  const Tensor other = random_tensor({3, 10}, 7);
  const auto gate = [&](const Tensor& x) { return gated(GetParam(), x, other); };
  const auto factor = [&](const Tensor& x) { return gated(GetParam(), other, x); };
  const Tensor x = random_tensor({3, 10}, 8);
  expect_same(
      gate, [&](const Tensor& at) { return activate(GetParam(), at) * other; }, x, 1e-12);
  expect_same(
      factor, [&](const Tensor& at) { return activate(GetParam(), other) * at; }, x, 1e-12);
  EXPECT_LT(worst_gradient_error(gate, x, {.step = 1e-5}), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(All, Activations,
                         testing::Values(Activation::kQuickGelu, Activation::kGelu, Activation::kGeluTanh,
                                         Activation::kSilu));

TEST(Layers, QuickGeluIsTheProductWithASigmoid) {
  expect_same([](const Tensor& x) { return activate(Activation::kQuickGelu, x); },
              [](const Tensor& x) { return x * at::sigmoid(1.702 * x); }, random_tensor({40}, 9), 1e-12);
}

TEST(Layers, RotaryTurnsPairsOfHalves) {
  const Tensor positions = at::arange(5, at::kLong), frequencies = at::tensor({1.0, 0.3, 0.1}, at::kFloat);
  const Rotary float_turn = rotary(positions, frequencies);
  const Rotary turn{float_turn.cosine.to(at::kDouble), float_turn.sine.to(at::kDouble)};
  const auto plain = [&](const Tensor& x) {
    const auto halves = x.chunk(2, -1);
    return x * turn.cosine + at::cat({-halves[1], halves[0]}, -1) * turn.sine;
  };
  const auto own = [&](const Tensor& x) { return apply_rotary(x, turn); };
  const Tensor x = random_tensor({2, 5, 24}, 10);  // as a projection leaves it: heads are a view
  expect_same([&](const Tensor& at) { return own(split_heads(at, 4)); },
              [&](const Tensor& at) { return plain(split_heads(at, 4)); }, x, 1e-12);
  EXPECT_LT(
      worst_gradient_error(
          [&](const Tensor& at) { return own(split_heads(at, 4)).square() * 0.5 + own(split_heads(at, 4)); },
          x, {.step = 1e-5}),
      1e-6);
}

TEST(Layers, ChannelsBeyondTheTurnStayAsTheyAre) {
  const Rotary float_turn = rotary(at::arange(5, at::kLong), at::tensor({1.0, 0.3}, at::kFloat));
  const Rotary turn{float_turn.cosine.to(at::kDouble), float_turn.sine.to(at::kDouble)};
  const Tensor x = random_tensor({2, 3, 5, 6}, 13);
  const Tensor turned = apply_rotary(x, turn);
  EXPECT_TRUE(at::equal(turned.narrow(-1, 4, 2), x.narrow(-1, 4, 2)));
  EXPECT_TRUE(at::equal(turned.narrow(-1, 0, 4), apply_rotary(x.narrow(-1, 0, 4), turn)));
  EXPECT_LT(worst_gradient_error([&](const Tensor& at) { return apply_rotary(at, turn).pow(3); }, x,
                                 {.step = 1e-5}),
            1e-6);
}

TEST(ReplyRules, ThePenaltyMakesSeenTokensLessLikely) {
  const Tensor logits = at::tensor({2.0F, -2.0F, 3.0F, 0.0F});
  const Tensor changed =
      penalize_repetition(logits, {0, 1, 7, -1}, 2);  // 7 and -1: outside of the vocabulary
  EXPECT_TRUE(at::equal(changed, at::tensor({1.0F, -4.0F, 3.0F, 0.0F})));
  EXPECT_TRUE(at::equal(penalize_repetition(logits, {0, 1}, 1), logits));
}

}  // namespace
}  // namespace hijack::layers_test
