// The draw that sorts no more than it needs, against one that sorts everything.
#include "models/prefix/sampler.h"

#include <gtest/gtest.h>

#include <numeric>

namespace hijack::sampler_test {
namespace {

TokenId draw_of_all_sorted(const std::vector<float>& p, double top_p, int64_t top_k, double draw) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return p[a] > p[b]; });
  size_t n = p.size();
  double wanted = top_p;
  if (top_k > 0 && top_k < static_cast<int64_t>(n)) {
    n = static_cast<size_t>(top_k);
    double left = 0;
    for (size_t i = 0; i < n; ++i) left += p[order[i]];
    wanted *= left;
  }
  size_t kept = 0;
  double mass = 0;
  while (kept < n && (kept == 0 || mass < wanted)) mass += p[order[kept++]];
  double left = draw * mass;
  size_t choice = 0;
  while (choice + 1 < kept && (left -= p[order[choice]]) >= 0) ++choice;
  return static_cast<TokenId>(order[choice]);
}

std::vector<float> distribution(int64_t size, double sharpness, Random& random) {
  const Tensor p = (random.normal_tensor({size}) * sharpness).softmax(-1);
  return {p.const_data_ptr<float>(), p.const_data_ptr<float>() + size};
}

TEST(DrawnToken, IsThatOfAllTokensSorted) {
  Random random(11);
  std::set<TokenId> drawn;
  for (const int64_t size : {1, 7, 64, 65, 3000})
    for (const double sharpness : {0.0, 0.01, 1.0, 5.0})  // 0: all are equal
      for (const double top_p : {1.0, 0.95, 0.3, 1e-9})
        for (const int64_t top_k : {0, 1, 40, 100, 100000}) {
          const auto p = distribution(size, sharpness, random);
          for (int i = 0; i < 8; ++i) {
            const double draw = random.uniform();
            const TokenId got = drawn_token(p, top_p, top_k, draw);
            ASSERT_EQ(got, draw_of_all_sorted(p, top_p, top_k, draw))
                << size << " " << sharpness << " " << top_p << " " << top_k << " " << draw;
            drawn.insert(got);
          }
        }
  EXPECT_GT(drawn.size(), 300u) << "the draws were all alike";
}

// What a GPU's rows are drawn by, here on the processor.
TEST(DrawnToken, OfTheLikeliestIsThatOfAll) {
  Random random(12);
  int64_t told = 0, asked = 0;
  for (const double sharpness : {0.0, 0.01, 1.0, 5.0})
    for (const double top_p : {1.0, 0.95, 0.3, 1e-9})
      for (const int64_t top_k : {0, 1, 40, 100000}) {
        const GenerateOptions options = {.temperature = 1, .top_p = top_p, .top_k = top_k};
        const Sampler sampler(options, {0, 1});
        const Tensor p = (random.normal_tensor({2, 3000}) * sharpness).softmax(-1);
        const std::vector<double> draws = {random.uniform(), random.uniform()};
        const auto ids = sampler.by_rows(p, draws);
        EXPECT_EQ(sampler.by_likeliest(p, draws), ids) << sharpness << " " << top_p << " " << top_k;
        const auto likely = likely_tokens(p, 64);
        for (size_t i = 0; i < 2; ++i, ++asked) {
          const auto id = drawn_token(likely[i], top_p, top_k, draws[i]);
          EXPECT_EQ(id.value_or(ids[i]), ids[i]) << sharpness << " " << top_p << " " << top_k;
          told += id.has_value();
        }
      }
  EXPECT_GT(told, asked / 4);
  EXPECT_LT(told, asked) << "64 tokens of 3000 cannot always tell";
}

TEST(DrawnToken, ReachesTheLastOne) {
  const std::vector<float> p(200, 1.0F / 200);
  EXPECT_EQ(drawn_token(p, 1, 0, 0), 0);
  EXPECT_EQ(drawn_token(p, 1, 0, 1 - 1e-12), 199);
  EXPECT_EQ(drawn_token(p, 0.4999, 0, 1 - 1e-12), 99) << "top_p cuts off";
  EXPECT_EQ(drawn_token(p, 0.5, 100, 1 - 1e-12), 49) << "top_p is a share of what top_k leaves";
}

TEST(Sampler, StreamsAreThoseOfTheSeeds) {
  const Tensor logits = Random(3).normal_tensor({1, 300});
  const auto tokens = [&](const GenerateOptions& options, size_t member) {
    Sampler sampler(options, {member});
    std::vector<TokenId> all;
    for (int i = 0; i < 20; ++i) all.push_back(sampler.next(logits, {0}).at(0));
    return all;
  };
  GenerateOptions seeded{.temperature = 1, .seed = 9}, streams{.temperature = 1};
  streams.seeds = {5, Random(9).fork_seed("reply", 1), Random(9).fork_seed("reply")};
  EXPECT_EQ(tokens(seeded, 1), tokens(streams, 1));
  EXPECT_EQ(tokens(seeded, 0), tokens(streams, 2));
  EXPECT_NE(tokens(seeded, 0), tokens(streams, 0));
}

TEST(PartOfOptions, KeepsStreamsAndNumbers) {
  GenerateOptions options{.temperature = 1, .seed = 4};
  std::vector<size_t> told;
  options.on_text = [&](size_t index, std::string_view) { told.push_back(index); };
  const GenerateOptions part = part_of(options, 2, 3);
  const Random random(4);
  EXPECT_EQ(part.seeds, (std::vector<uint64_t>{random.fork_seed("reply", 2), random.fork_seed("reply", 3),
                                               random.fork_seed("reply", 4)}));
  part.on_text(1, "x");
  EXPECT_EQ(told, std::vector<size_t>{3});
  options.seeds = {7, 8, 9};
  EXPECT_EQ(part_of(options, 1, 2).seeds, (std::vector<uint64_t>{8, 9}));
}

}  // namespace
}  // namespace hijack::sampler_test
