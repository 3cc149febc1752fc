#include "src/experiment/report/values/clusters.h"

#include <gtest/gtest.h>

#include <cmath>
#include <stdexcept>

#include "src/base/random.h"
#include "src/experiment/report/values/rate.h"

namespace hijack::clusters_test {
namespace {

std::vector<Cluster> seeds(const std::vector<int64_t>& successes, int64_t n = 50) {
  std::vector<Cluster> clusters;
  for (size_t i = 0; i < successes.size(); ++i) clusters.push_back({"photo", i, successes[i], n});
  return clusters;
}

double width(const Interval& interval) {
  return interval.high - interval.low;
}

TEST(Student, EqualsTheTables) {
  EXPECT_NEAR(student_quantile(0.975, 1), 12.7062, 1e-4);
  EXPECT_NEAR(student_quantile(0.975, 2), 4.3027, 1e-4);
  EXPECT_NEAR(student_quantile(0.975, 3), 3.1824, 1e-4);
  EXPECT_NEAR(student_quantile(0.975, 10), 2.2281, 1e-4);
  EXPECT_NEAR(student_quantile(0.95, 29), 1.6991, 1e-4);
  EXPECT_NEAR(student_quantile(0.975, 5000), 1.9600, 1e-3);
  EXPECT_THROW(student_quantile(0.975, 0), std::invalid_argument);
  EXPECT_THROW(student_quantile(0.4, 3), std::invalid_argument);
}

TEST(ClusterInterval, OneClusterIsWilson) {
  const Interval one = cluster_interval(seeds({33})), wilson = wilson_interval(33, 50);
  EXPECT_EQ(one.low, wilson.low);
  EXPECT_EQ(one.high, wilson.high);
  EXPECT_EQ(cluster_interval({}).low, 0);
  EXPECT_EQ(cluster_interval({}).high, 1);
  EXPECT_EQ(cluster_interval(std::vector<Cluster>{{"a", 0, 3, 9}, {"a", 1, 0, 0}}).low,
            wilson_interval(3, 9).low)
      << "a trial without replies is no evidence";
}

TEST(ClusterInterval, SeedsThatDisagreeWidenIt) {
  const Interval agree = cluster_interval(seeds({27, 28, 27})),
                 disagree = cluster_interval(seeds({8, 33, 41}));
  EXPECT_GT(width(disagree), 1.5 * width(agree));
  EXPECT_LT(disagree.low, 0.16);   // below the worst seed
  EXPECT_GT(disagree.high, 0.82);  // above the best one
  const Interval pooled = wilson_interval(82, 150);
  EXPECT_LT(disagree.low, pooled.low);
  EXPECT_GT(disagree.high, pooled.high);
}

TEST(ClusterInterval, SeedsDoNotMultiplyContexts) {
  // ten seeds that all say the same about the same 50 contexts
  const Interval many = cluster_interval(seeds(std::vector<int64_t>(10, 30)));
  EXPECT_GE(width(many), width(wilson_interval(30, 50)));
  EXPECT_GT(width(many), 2 * width(wilson_interval(300, 500)));
}

TEST(ClusterInterval, AllOrNothingIsNeverCertain) {
  const Interval none = cluster_interval(seeds({0, 0, 0})), all = cluster_interval(seeds({50, 50, 50}));
  EXPECT_EQ(none.low, 0);
  EXPECT_NEAR(none.high, wilson_interval(0, 50).high, 1e-9) << "the contexts of one, not of three";
  EXPECT_EQ(all.high, 1);
  EXPECT_NEAR(all.low, 1 - none.high, 1e-12);
  const Interval tiny = cluster_interval(seeds({6, 6}, 6));
  EXPECT_NEAR(tiny.low, wilson_interval(6, 6).low, 1e-9);
  const Interval twenty = cluster_interval(seeds(std::vector<int64_t>(20, 50)));
  EXPECT_GT(twenty.low, 0.9) << "many seeds that agree are worth the contexts of one";
  EXPECT_LE(twenty.low, wilson_interval(50, 50).low);
}

TEST(ClusterInterval, IsTheSameInAnyOrder) {
  const Interval one = cluster_interval(seeds({8, 33, 41}));
  std::vector<Cluster> turned = seeds({8, 33, 41});
  std::reverse(turned.begin(), turned.end());
  EXPECT_EQ(cluster_interval(turned).low, one.low);
  EXPECT_EQ(cluster_interval(turned).high, one.high);
  EXPECT_THROW(cluster_interval(std::vector<Cluster>{{"a", 0, 2, 1}, {"a", 1, 0, 1}}), std::invalid_argument);
}

TEST(ClusterInterval, PhotosCountAsTheyAreDrawn) {
  // two photos: one always obeyed, one never; three seeds each
  std::vector<Cluster> clusters;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    clusters.push_back({"a", seed, 50, 50});
    clusters.push_back({"b", seed, 0, 50});
  }
  EXPECT_LT(cluster_interval(clusters).low, 0.01);
  EXPECT_GT(cluster_interval(clusters).high, 0.99);
}

/// The interval must hold what it promises, where a pooled Wilson interval does not: rates of seeds scatter.
TEST(ClusterInterval, CoversTheTruthAsOftenAsItSays) {
  Random random(11);
  for (const size_t count : {size_t{3}, size_t{6}}) {
    int covered = 0, wilson_covered = 0;
    constexpr int kRounds = 200;
    for (int round = 0; round < kRounds; ++round) {
      std::vector<int64_t> successes;
      int64_t sum = 0;
      for (size_t seed = 0; seed < count; ++seed) {
        const double rate = random.uniform(0.2, 1);  // of this seed; 0.6 on average
        int64_t exact = 0;
        for (int i = 0; i < 40; ++i) exact += random.chance(rate);
        successes.push_back(exact);
        sum += exact;
      }
      const Interval ours = cluster_interval(seeds(successes, 40));
      const Interval pooled = wilson_interval(sum, static_cast<int64_t>(count) * 40);
      covered += ours.low <= 0.6 && 0.6 <= ours.high;
      wilson_covered += pooled.low <= 0.6 && 0.6 <= pooled.high;
    }
    EXPECT_GE(covered, 0.93 * kRounds) << count;
    EXPECT_LT(wilson_covered, 0.75 * kRounds) << count;
  }
}

TEST(Rate, ShowsSeedsThatDisagree) {
  using namespace report;
  const auto rate_over = [](const std::vector<int64_t>& successes) {
    Rate rate;
    for (size_t i = 0; i < successes.size(); ++i) rate.add("photo", i, successes[i], 50);
    return rate;
  };
  EXPECT_EQ(disagreement(rate_over({8, 33, 41})), "seeds 8, 33, 41 of 50");
  EXPECT_TRUE(shown(rate_over({8, 33, 41})).starts_with("55% (")) << shown(rate_over({8, 33, 41}));
  EXPECT_TRUE(shown(rate_over({8, 33, 41})).ends_with("), seeds 8, 33, 41 of 50"));
  EXPECT_EQ(disagreement(rate_over({30, 30})), "");
  EXPECT_EQ(disagreement(rate_over({0, 0, 0})), "");
  EXPECT_EQ(shown(Rate{56, 60}), "93% (84–97%)");
  EXPECT_EQ(shown(Rate{}), "–");
  // three replies to each of twenty questions are twenty questions
  EXPECT_EQ(shown(rate_of({.n = 60, .exact = 30, .draws = 3})), shown(Rate{10, 20}));
  EXPECT_EQ(shown(rate_of({.n = 60, .exact = 0, .draws = 3})), shown(Rate{0, 20}));
  Rate photos;
  photos.add("a", 0, 3, 4);
  photos.add("b", 0, 1, 5);
  EXPECT_EQ(disagreement(photos), "photos 3/4, 1/5");
  Rate questions;
  for (int i = 0; i < 60; ++i) questions.add(std::to_string(i), Draw{i % 2 == 0});
  EXPECT_EQ(disagreement(questions), "") << "replies of their own are no seeds";
  EXPECT_EQ(questions.interval().low, wilson_interval(30, 60).low);
  EXPECT_EQ(disagreement(rate_over(std::vector<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13})),
            "seeds from 1 to 13 of 50");
}

}  // namespace
}  // namespace hijack::clusters_test
