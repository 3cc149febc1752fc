#include "defenses/calibration.h"

#include <gtest/gtest.h>

#include "src/base/error.h"

namespace hijack {
namespace {

/// 0, 1, ..., n-1 in a mixed order.
std::vector<double> scores(int64_t n) {
  std::vector<double> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<double>((i * 7) % n));
  return values;
}

TEST(Calibration, IsAnExactOrderStatistic) {
  EXPECT_EQ(calibrate("d", scores(20), 1).threshold, 19);
  EXPECT_EQ(calibrate("d", scores(20), 0.95).threshold, 18);
  EXPECT_EQ(calibrate("d", scores(20), 0.951).threshold, 19);
  EXPECT_EQ(calibrate("d", scores(20), 0.5).threshold, 9);
  EXPECT_EQ(calibrate("d", scores(100), 0.99).threshold, 98);
  EXPECT_EQ(calibrate("d", scores(20), 1e-6).threshold, 0);
}

TEST(Calibration, SaysWhereItCameFrom) {
  const Calibration made = calibrate("perplexity:window=10", scores(30), 0.9);
  EXPECT_EQ(made.name, "perplexity:window=10");
  EXPECT_EQ(made.n, 30);
  EXPECT_EQ(made.quantile, 0.9);
}

TEST(Calibration, RefusesTooFewScores) {
  EXPECT_THROW(calibrate("d", scores(19), 1), Error);
  EXPECT_THROW(calibrate("d", {}, 1), Error);
  EXPECT_NO_THROW(calibrate("d", scores(20), 1));
}

TEST(Calibration, RefusesScoresThatAreNotFinite) {
  std::vector<double> bad = scores(20);
  bad[3] = std::nan("");
  EXPECT_THROW(calibrate("d", bad, 1), Failure);
}

}  // namespace
}  // namespace hijack
