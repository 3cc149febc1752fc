#include "src/base/random.h"

#include <gtest/gtest.h>

#include "src/base/error.h"

namespace hijack::random_test {
namespace {

TEST(Random, XoshiroReferenceSequence) {
  Random random(0);
  // xoshiro256** from the splitmix64 words of seed 0 (the reference implementations of Blackman and Vigna).
  EXPECT_EQ(random.bits(), 0x99ec5f36cb75f2b4ULL);
  EXPECT_EQ(random.bits(), 0xbf6e1f784956452aULL);
  EXPECT_EQ(random.bits(), 0x1a5f849d4933e6e0ULL);
}

TEST(Random, SameSeedSameDraws) {
  Random a(7), b(7), c(8);
  EXPECT_TRUE(at::equal(a.normal_tensor({3, 5}), b.normal_tensor({3, 5})));
  EXPECT_TRUE(at::equal(a.uniform_tensor({7}, -1, 1), b.uniform_tensor({7}, -1, 1)));
  EXPECT_NE(a.bits(), c.bits());
}

TEST(Random, ForkDependsOnSeedPurposeAndIndexOnly) {
  Random a(7), b(7);
  b.bits();
  EXPECT_EQ(a.fork("x", 3).state(), b.fork("x", 3).state());
  std::set<std::string> states = {a.state()};
  for (const char* purpose : {"", "x", "y", "xy"})
    for (uint64_t index = 0; index < 50; ++index) states.insert(a.fork(purpose, index).state());
  for (uint64_t seed = 100; seed < 150; ++seed) states.insert(Random(seed).fork("x").state());
  EXPECT_EQ(states.size(), 1u + 4 * 50 + 50);
  EXPECT_EQ(a.bits(), Random(7).bits());  // forking did not advance the parent
}

TEST(Random, BelowCoversItsRangeEvenly) {
  Random random(1);
  std::array<int, 7> counts{};
  for (int i = 0; i < 70000; ++i) ++counts[static_cast<size_t>(random.below(7))];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 500);
  EXPECT_EQ(random.below(1), 0);
  EXPECT_THROW(random.below(0), std::exception);
}

TEST(Random, BetweenIncludesBothEndsAndTheWholeRange) {
  Random random(1);
  std::set<int64_t> seen;
  for (int i = 0; i < 200; ++i) seen.insert(random.between(-2, 2));
  EXPECT_EQ(seen, (std::set<int64_t>{-2, -1, 0, 1, 2}));
  EXPECT_EQ(random.between(5, 5), 5);
  bool negative = false, positive = false;
  for (int i = 0; i < 50; ++i) (random.between(INT64_MIN, INT64_MAX) < 0 ? negative : positive) = true;
  EXPECT_TRUE(negative && positive);
  EXPECT_THROW(random.between(2, 1), std::exception);
}

TEST(Random, MomentsOfUniformAndNormal) {
  Random random(3);
  const Tensor normal = random.normal_tensor({200001}), uniform = random.uniform_tensor({200000}, 2, 4);
  EXPECT_NEAR(normal.mean().item<double>(), 0, 0.01);
  EXPECT_NEAR(normal.std().item<double>(), 1, 0.01);
  EXPECT_NEAR(normal.abs().gt(1.96).to(at::kDouble).mean().item<double>(), 0.05, 0.003);
  EXPECT_NEAR(uniform.mean().item<double>(), 3, 0.01);
  EXPECT_GE(uniform.min().item<double>(), 2);
  EXPECT_LE(uniform.max().item<double>(), 4);
  double sum = 0, squares = 0;
  for (int i = 0; i < 100000; ++i) {
    const double x = random.normal();
    sum += x, squares += x * x;
  }
  EXPECT_NEAR(sum / 100000, 0, 0.02);
  EXPECT_NEAR(squares / 100000, 1, 0.02);
}

TEST(Random, ChanceShuffleAndPick) {
  Random random(4);
  EXPECT_FALSE(random.chance(0));
  EXPECT_TRUE(random.chance(1));
  std::vector<int> items = {1, 2, 3, 4, 5};
  random.shuffle(items);
  EXPECT_EQ(std::set<int>(items.begin(), items.end()), (std::set<int>{1, 2, 3, 4, 5}));
  std::set<int> picked;
  for (int i = 0; i < 100; ++i) picked.insert(random.pick(items));
  EXPECT_EQ(picked.size(), 5u);
}

TEST(Random, StateIsRestored) {
  Random a(5);
  a.bits();
  const std::string state = a.state();
  const uint64_t next = a.bits();
  Random b(99);
  b.restore(state);
  EXPECT_EQ(b.bits(), next);
  EXPECT_EQ(b.fork("x").state(), a.fork("x").state());
  for (const std::string& bad :
       {std::string(), std::string("zz"), std::string(80, 'g'), std::string(80, '0')})
    EXPECT_THROW(b.restore(bad), Error);
}

}  // namespace
}  // namespace hijack::random_test
