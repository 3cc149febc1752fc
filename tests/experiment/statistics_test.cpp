#include "src/experiment/report/values/statistics.h"
#include "src/base/text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hijack::statistics_test {
namespace {

TEST(Wilson, EqualsPublishedIntervals) {
  // Newcombe 1998, table I: method 3 (score), 95 %.
  const auto expect = [](int64_t k, int64_t n, double low, double high) {
    const Interval interval = wilson_interval(k, n);
    EXPECT_NEAR(interval.low, low, 5e-5) << k << "/" << n;
    EXPECT_NEAR(interval.high, high, 5e-5) << k << "/" << n;
  };
  expect(81, 263, 0.2553, 0.3662);
  expect(15, 148, 0.0624, 0.1605);
  expect(0, 20, 0.0, 0.1611);
  expect(1, 29, 0.0061, 0.1718);
}

TEST(Wilson, EndsAreExactAndBadCountsAreRefused) {
  EXPECT_EQ(wilson_interval(0, 50).low, 0.0);
  EXPECT_EQ(wilson_interval(50, 50).high, 1.0);
  EXPECT_EQ(wilson_interval(0, 0).low, 0.0);
  EXPECT_EQ(wilson_interval(0, 0).high, 1.0);
  EXPECT_LT(wilson_interval(5, 10, 0.99).low, wilson_interval(5, 10, 0.95).low);
  EXPECT_THROW(wilson_interval(3, 2), std::invalid_argument);
  EXPECT_THROW(wilson_interval(-1, 2), std::invalid_argument);
  EXPECT_THROW(wilson_interval(1, 2, 1.0), std::invalid_argument);
}

TEST(NormalQuantile, EqualsTables) {
  EXPECT_NEAR(normal_quantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(normal_quantile(0.5), 0, 1e-12);
  EXPECT_NEAR(normal_quantile(0.005), -2.575829303548901, 1e-12);
}

TEST(McNemar, EqualsTheBinomialTest) {
  EXPECT_EQ(mcnemar_exact(0, 0), 1.0);
  EXPECT_NEAR(mcnemar_exact(0, 5), 2.0 / 32, 1e-12);
  EXPECT_NEAR(mcnemar_exact(5, 0), 2.0 / 32, 1e-12);
  // 2 * (1 + 10 + 45) / 1024
  EXPECT_NEAR(mcnemar_exact(2, 8), 0.109375, 1e-12);
  EXPECT_EQ(mcnemar_exact(4, 4), 1.0);
  EXPECT_LT(mcnemar_exact(0, 2000), 1e-300);
}

TEST(Moments, OfAFewNumbers) {
  const std::vector<double> values{2, 4, 4, 4, 5, 5, 7, 9};
  EXPECT_DOUBLE_EQ(mean(values), 5);
  EXPECT_NEAR(standard_deviation(values), std::sqrt(32.0 / 7), 1e-12);
  EXPECT_DOUBLE_EQ(median(values), 4.5);
  EXPECT_DOUBLE_EQ(median(std::vector<double>{3, 1, 2}), 2);
  EXPECT_TRUE(std::isnan(mean({})));
  EXPECT_TRUE(std::isnan(median({})));
  EXPECT_TRUE(std::isnan(standard_deviation(std::vector<double>{1})));
}

TEST(Levenshtein, CountsEditsInCodePoints) {
  EXPECT_EQ(edit_distance_in_characters("kitten", "sitting"), 3U);
  EXPECT_EQ(edit_distance_in_characters("", "abc"), 3U);
  EXPECT_EQ(edit_distance_in_characters("abc", ""), 3U);
  EXPECT_EQ(edit_distance_in_characters("same", "same"), 0U);
  EXPECT_EQ(edit_distance_in_characters("flaw", "lawn"), 2U);
  EXPECT_EQ(edit_distance_in_characters("Zürich", "Zurich"), 1U);
  EXPECT_EQ(edit_distance_in_characters("日本", "日本語"), 1U);
  EXPECT_EQ(edit_distance_in_characters("a\xff", "a\xfe"), 1U)
      << "bytes that are not UTF-8 are characters of their own";
  EXPECT_EQ(edit_distance_in_characters("\xe2\x82", ""), 2U) << "a cut sequence counts byte by byte";
}

TEST(LinearTrend, FindsTheLine) {
  const Trend exact = linear_trend(std::vector<double>{1, 3, 5, 7});
  EXPECT_NEAR(exact.slope, 2, 1e-12);
  EXPECT_NEAR(exact.standard_error, 0, 1e-9);
  // y = 1, 2, 2: slope 0.5, residual sum 1/6, standard error sqrt((1/6) / 1 / 2).
  const Trend noisy = linear_trend(std::vector<double>{1, 2, 2});
  EXPECT_NEAR(noisy.slope, 0.5, 1e-12);
  EXPECT_NEAR(noisy.standard_error, std::sqrt(1.0 / 12), 1e-12);
  EXPECT_THROW(linear_trend(std::vector<double>{1, 2}), std::invalid_argument);
}

TEST(Roc, EqualsTheHandCount) {
  const std::vector<double> benign{0.1, 0.4, 0.35}, attacks{0.8, 0.4};
  // (0.8: 3 of 3) + (0.4: beats 0.1 and 0.35, ties 0.4) = (3 + 2.5) / 6
  EXPECT_NEAR(auroc(benign, attacks), 5.5 / 6, 1e-12);
  const std::vector<RocPoint> points = roc_points(benign, attacks);
  ASSERT_EQ(points.size(), 5u);
  EXPECT_EQ(points.front().false_positive_rate, 0);
  EXPECT_EQ(points.front().true_positive_rate, 0);
  EXPECT_NEAR(points[2].false_positive_rate, 1.0 / 3, 1e-12);
  EXPECT_NEAR(points[2].true_positive_rate, 1, 1e-12);
  EXPECT_EQ(points.back().false_positive_rate, 1);
  EXPECT_EQ(points.back().true_positive_rate, 1);
}

TEST(Roc, ExtremesAndBadScores) {
  EXPECT_EQ(auroc(std::vector<double>{0, 1}, std::vector<double>{2, 3}), 1.0);
  EXPECT_EQ(auroc(std::vector<double>{2, 3}, std::vector<double>{0, 1}), 0.0);
  EXPECT_EQ(auroc(std::vector<double>{1, 1}, std::vector<double>{1, 1}), 0.5);
  EXPECT_THROW(auroc({}, std::vector<double>{1}), std::invalid_argument);
  EXPECT_THROW(auroc(std::vector<double>{std::nan("")}, std::vector<double>{1}), std::invalid_argument);
}

TEST(Roc, DetectionRateAtAFalsePositiveRate) {
  std::vector<double> benign;
  for (int i = 0; i < 100; ++i) benign.push_back(i);
  const std::vector<double> attacks{50, 94.5, 95.5, 98.5, 200};
  EXPECT_DOUBLE_EQ(detection_rate_at(benign, attacks, 0.01), 0.4) << "98.5 lies above all but one";
  EXPECT_DOUBLE_EQ(detection_rate_at(benign, attacks, 0.05), 0.8) << "94.5 lies above all but five";
  EXPECT_DOUBLE_EQ(detection_rate_at(benign, attacks, 0), 0.2);
  EXPECT_DOUBLE_EQ(detection_rate_at(benign, attacks, 1), 1);
  EXPECT_DOUBLE_EQ(detection_rate_at(std::vector<double>{1, 1}, std::vector<double>{1, 1}, 0.05), 0)
      << "ties are not told apart";
  EXPECT_THROW(detection_rate_at(benign, attacks, -0.1), std::invalid_argument);
  EXPECT_THROW(detection_rate_at(benign, {}, 0.05), std::invalid_argument);
}

}  // namespace
}  // namespace hijack::statistics_test
