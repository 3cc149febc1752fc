// Attention over a prefix that is read where it lies, against attention over the concatenation.
#include "models/network/shared_prefix_attention.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>
#include <gtest/gtest.h>

#include "models/network/shared_prefix_plan.h"
#include "tests/support/finite_difference.h"

namespace hijack::shared_prefix_attention_test {
namespace {

Tensor waves(at::IntArrayRef shape, double turn) {
  const Tensor flat = at::arange(c10::multiply_integers(shape), at::kDouble);
  return (flat * turn).sin().view(shape) * 1.5;
}

/// Query, key and value of packed tokens, key and value of the prefix.
struct Inputs {
  std::vector<Tensor> all;
  Inputs(int64_t rows, int64_t heads, int64_t kv_heads, int64_t length, int64_t prefix, int64_t width = 8)
      : all{waves({rows, length, heads, width}, 0.71).transpose(1, 2),
            waves({rows, length, kv_heads, width}, 1.31).transpose(1, 2),
            waves({rows, length, kv_heads, width}, 0.43).transpose(1, 2),
            waves({rows, kv_heads, prefix, width}, 0.87), waves({rows, kv_heads, prefix, width}, 0.59)} {}
};

PackedTokens runs_of(const std::vector<int64_t>& lengths) {
  PackedTokens tokens;
  for (const int64_t length : lengths) {
    tokens.runs.push_back(tokens.size());
    for (int64_t i = 0; i < length; ++i) tokens.parents.push_back(i == 0 ? -1 : tokens.size() - 1);
  }
  return tokens;
}

/// A run that is longer than a group, runs that share one, and one alone.
PackedTokens apart() {
  return runs_of({60, 10, 1, 20, 30});
}

/// Runs that go on from tokens of their own group, and from tokens of two groups before.
PackedTokens branching() {
  PackedTokens tokens = runs_of({30, 5, 8, 40, 7});
  tokens.parents[30] = 11;
  tokens.parents[35] = 33;
  tokens.parents[43] = 20;
  tokens.parents[83] = 50;
  return tokens;
}

PackedTokens with_blocks() {
  PackedTokens tokens = apart();
  tokens.blocks = {{4, 9}, {61, 66}, {100, 121}};
  return tokens;
}

/// bool [L,P+L], told token by token.
Tensor seen_by(const PackedTokens& tokens, int64_t prefix, int64_t window) {
  Tensor seen = at::zeros({tokens.size(), prefix + tokens.size()}, at::kBool);
  for (int64_t i = 0; i < tokens.size(); ++i) {
    bool* const row = seen.mutable_data_ptr<bool>() + i * seen.size(1);
    std::vector<int64_t> path;  // columns, the nearest first
    for (int64_t up = i; up >= 0; up = tokens.parents[static_cast<size_t>(up)]) path.push_back(prefix + up);
    for (int64_t p = prefix - 1; p >= 0; --p) path.push_back(p);
    for (size_t k = 0; k < path.size() && (window == 0 || k < static_cast<size_t>(window)); ++k)
      row[path[k]] = true;
  }
  for (const TokenBlock& block : tokens.blocks)
    seen.narrow(0, block.begin, block.end - block.begin)
        .narrow(1, prefix + block.begin, block.end - block.begin)
        .fill_(true);
  return seen;
}

using Attend = std::function<Tensor(const std::vector<Tensor>&)>;

/// Output and the five gradients.
std::vector<Tensor> all_of(const Attend& attend, const std::vector<Tensor>& given, at::ScalarType dtype) {
  std::vector<Tensor> leaves;
  for (const Tensor& one : given) leaves.push_back(one.detach().to(dtype).requires_grad_(true));
  const Tensor out = attend(leaves);
  std::vector<Tensor> all = torch::autograd::grad({out}, leaves, {waves(out.sizes(), 2.1).to(dtype)});
  all.insert(all.begin(), out.detach());
  return all;
}

Attend over_the_concatenation(const PackedTokens& tokens, int64_t prefix, const AttentionRule& rule) {
  return [=](const std::vector<Tensor>& x) {
    return attention(x[0], at::cat({x[3], x[1]}, 2), at::cat({x[4], x[2]}, 2),
                     seen_by(tokens, prefix, rule.window), /*causal=*/false, rule);
  };
}

Attend of_the_plan(const PackedTokens& tokens, const AttentionRule& rule) {
  return [=](const std::vector<Tensor>& x) {
    const KeyValues prefix{{x[3]}, {x[4]}};
    SharedPrefixPlan plan(prefix, tokens);
    return plan.kernel(0, rule)(x[0], x[1], x[2], plan.shared(0));
  };
}

double difference(const Tensor& a, const Tensor& b) {
  return ((a.to(at::kDouble) - b).abs().max() / b.abs().max()).item<double>();
}

/// Values and gradients of one are about as near to those in double precision as the other's are.
void expect_as_near(const Attend& one, const Attend& other, std::vector<Tensor> given, at::ScalarType dtype) {
  for (Tensor& x : given) x = x.to(dtype).to(at::kDouble);
  const auto exact = all_of(other, given, at::kDouble);
  const auto found = all_of(one, given, dtype), like = all_of(other, given, dtype);
  const double slack = dtype == at::kFloat ? 3e-6 : 1e-2;
  for (size_t i = 0; i < exact.size(); ++i) {
    EXPECT_EQ(found[i].scalar_type(), dtype);
    EXPECT_LT(difference(found[i], exact[i]), 2 * difference(like[i], exact[i]) + slack) << dtype << " " << i;
  }
}

TEST(SharedPrefixPlan, IsAttentionOverTheConcatenation) {
  const int64_t prefix = 70;
  for (const PackedTokens& tokens : {apart(), branching(), with_blocks(), runs_of({1}), runs_of({5, 5})})
    for (const int64_t heads : {2, 6})
      for (const int64_t rows : {1, 2})
        for (const AttentionRule& rule :
             {AttentionRule{}, AttentionRule{.window = 500, .scale = 0.2},
              AttentionRule{.window = 9, .blocks_leave_window = true}, AttentionRule{.soft_cap = 2}}) {
          SCOPED_TRACE(testing::Message()
                       << tokens.size() << " tokens, " << tokens.blocks.size() << " blocks, " << heads
                       << " heads, " << rows << " rows, window " << rule.window);
          const Inputs inputs(rows, heads, 2, tokens.size(), prefix);
          for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16})
            expect_as_near(of_the_plan(tokens, rule), over_the_concatenation(tokens, prefix, rule),
                           inputs.all, dtype);
        }
}

/// A group whose tokens see what two others hold, one with a mask, and one that is causal.
std::vector<PackedGroup> three_groups() {
  const auto added = [](const Tensor& seen) {
    return at::zeros(seen.sizes(), at::kDouble)
        .masked_fill_(seen.logical_not(), -INFINITY)
        .unsqueeze(0)
        .unsqueeze(0);
  };
  Tensor apart = at::ones({3, 3}, at::kBool).tril();
  apart[2][1] = false;
  const Tensor further = at::ones({2, 4}, at::kBool).tril(2);
  return {{4, {}, {}}, {3, {}, added(apart)}, {2, at::tensor({1, 5}, at::kLong), added(further)}};
}

TEST(SharedPrefixAttention, Gradients) {
  const Inputs inputs(1, 4, 2, 9, 5, 4);
  const Tensor weight = waves({1, 4, 9, 4}, 2.1);
  for (size_t i = 0; i < inputs.all.size(); ++i) {
    const auto loss = [&](const Tensor& x) {
      std::vector<Tensor> given = inputs.all;
      given[i] = x;
      return (shared_prefix_attention(given[0], given[1], given[2], given[3], given[4], three_groups(), 0.6) *
              weight)
          .sum();
    };
    EXPECT_LT(worst_gradient_error(loss, inputs.all[i].contiguous()), 1e-7) << i;
  }
}

/// Where one part has all the weight, the other's sum of exponentials is 0 in float32.
TEST(SharedPrefixAttention, JoinsPartsOfWhichOneHasAllTheWeight) {
  for (const double turn : {-60.0, 60.0}) {
    Inputs inputs(1, 2, 2, 6, 5);
    inputs.all[0] = at::ones_like(inputs.all[0]);
    inputs.all[3] = at::full_like(inputs.all[3], turn);
    const PackedTokens tokens = runs_of({6});
    const auto expected = all_of(over_the_concatenation(tokens, 5, {}), inputs.all, at::kDouble);
    const auto found = all_of(of_the_plan(tokens, {}), inputs.all, at::kFloat);
    for (size_t i = 0; i < expected.size(); ++i) {
      EXPECT_TRUE(found[i].isfinite().all().item<bool>());
      EXPECT_LT((found[i] - expected[i]).abs().max().item<double>(), 1e-4) << turn << " " << i;
    }
  }
}

/// Bytes that are allocated while it lives, and how many of them are still held.
class Allocated : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, int64_t bytes, size_t, size_t, c10::Device) override {
    total += std::max<int64_t>(bytes, 0);
    held += bytes;
  }
  bool memoryProfilingEnabled() const override { return true; }
  int64_t total = 0, held = 0;
};

TEST(SharedPrefixPlan, DoesNotCopyThePrefix) {
  const PackedTokens tokens = runs_of({100, 100, 100});
  Inputs inputs(1, 2, 2, tokens.size(), 20000);
  for (Tensor& one : inputs.all) one = one.to(at::kFloat).requires_grad_(true);
  const int64_t prefix = static_cast<int64_t>(inputs.all[3].nbytes());
  const auto allocated = std::make_shared<Allocated>();
  const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE, allocated);
  const Tensor out = of_the_plan(tokens, {})(inputs.all);
  EXPECT_GE(allocated->held, static_cast<int64_t>(out.nbytes()));  // it does count
  EXPECT_LT(allocated->held, 3 * static_cast<int64_t>(out.nbytes()));
  EXPECT_LT(allocated->total, prefix);
}

TEST(SharedPrefixPlan, SaysTheSameWithoutGradients) {
  const PackedTokens tokens = branching();
  const Inputs inputs(1, 6, 2, tokens.size(), 30);
  const at::NoGradGuard guard;
  const Tensor without = of_the_plan(tokens, {})(inputs.all);
  const at::AutoGradMode with(true);
  EXPECT_TRUE(at::equal(without, all_of(of_the_plan(tokens, {}), inputs.all, at::kDouble)[0]));
}

}  // namespace
}  // namespace hijack::shared_prefix_attention_test
