#include "src/experiment/report/values/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

namespace hijack {

Interval wilson_interval(int64_t successes, int64_t n, double confidence) {
  if (successes < 0 || n < 0 || successes > n)
    throw std::invalid_argument("wilson_interval needs 0 <= k <= n");
  if (!(confidence > 0 && confidence < 1))
    throw std::invalid_argument("wilson_interval needs 0 < confidence < 1");
  if (n == 0) return {0, 1};
  const double z = normal_quantile(0.5 + confidence / 2);
  const auto count = static_cast<double>(n);
  const double rate = static_cast<double>(successes) / count;
  const double center = (rate + z * z / (2 * count)) / (1 + z * z / count);
  const double half =
      z / (1 + z * z / count) * std::sqrt(rate * (1 - rate) / count + z * z / (4 * count * count));
  // At the ends the bound is exactly 0 or 1; rounding must not leave 1e-18.
  return {successes == 0 ? 0.0 : std::max(0.0, center - half),
          successes == n ? 1.0 : std::min(1.0, center + half)};
}

double mcnemar_exact(int64_t only_first, int64_t only_second) {
  if (only_first < 0 || only_second < 0) throw std::invalid_argument("mcnemar_exact needs counts >= 0");
  const int64_t n = only_first + only_second;
  const int64_t fewer = std::min(only_first, only_second);
  return std::min(1.0, 2 * binomial_lower_tail(fewer, n, 0.5));
}

double mean(std::span<const double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double standard_deviation(std::span<const double> values) {
  if (values.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  const double center = mean(values);
  double sum = 0;
  for (const double value : values) sum += (value - center) * (value - center);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

double median(std::span<const double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::vector<double> sorted(values.begin(), values.end());
  std::sort(sorted.begin(), sorted.end());
  const size_t half = sorted.size() / 2;
  return sorted.size() % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

Interval percentile_interval(std::vector<double> draws) {
  std::sort(draws.begin(), draws.end());
  const auto point = [&](double share) {
    return draws[static_cast<size_t>(std::lround(share * static_cast<double>(draws.size() - 1)))];
  };
  return {point(0.025), point(0.975)};
}

Trend linear_trend(std::span<const double> values) {
  if (values.size() < 3) throw std::invalid_argument("linear_trend needs three values");
  const auto n = static_cast<double>(values.size());
  const double center_x = (n - 1) / 2, center_y = mean(values);
  double xx = 0, xy = 0, residual = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double x = static_cast<double>(i) - center_x;
    xx += x * x;
    xy += x * (values[i] - center_y);
  }
  const double slope = xy / xx;
  for (size_t i = 0; i < values.size(); ++i) {
    const double error = values[i] - center_y - slope * (static_cast<double>(i) - center_x);
    residual += error * error;
  }
  return {slope, std::sqrt(residual / (n - 2) / xx)};
}

std::vector<RocPoint> roc_points(std::span<const double> benign, std::span<const double> attacks) {
  if (benign.empty() || attacks.empty())
    throw std::invalid_argument("a ROC curve needs benign and attack scores");
  std::vector<std::pair<double, bool>> scores;
  for (const double score : benign) scores.emplace_back(score, false);
  for (const double score : attacks) scores.emplace_back(score, true);
  for (const auto& [score, attack] : scores)
    if (std::isnan(score)) throw std::invalid_argument("a ROC curve cannot hold a NaN score");
  std::sort(scores.begin(), scores.end(), [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<RocPoint> points{{std::numeric_limits<double>::infinity(), 0, 0}};
  int64_t false_positives = 0, true_positives = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    ++(scores[i].second ? true_positives : false_positives);
    if (i + 1 < scores.size() && scores[i + 1].first == scores[i].first) continue;
    points.push_back({scores[i].first,
                      static_cast<double>(false_positives) / static_cast<double>(benign.size()),
                      static_cast<double>(true_positives) / static_cast<double>(attacks.size())});
  }
  return points;
}

double auroc(std::span<const double> benign, std::span<const double> attacks) {
  const auto points = roc_points(benign, attacks);
  double area = 0;
  for (size_t i = 1; i < points.size(); ++i)
    area += (points[i].false_positive_rate - points[i - 1].false_positive_rate) *
            (points[i].true_positive_rate + points[i - 1].true_positive_rate) / 2;
  return area;
}

double detection_rate_at(std::span<const double> benign, std::span<const double> attacks,
                         double false_positive_rate) {
  if (!(false_positive_rate >= 0 && false_positive_rate <= 1))
    throw std::invalid_argument("a false-positive rate lies in [0,1]");
  double best = 0;
  for (const RocPoint& point : roc_points(benign, attacks))
    if (point.false_positive_rate <= false_positive_rate + 1e-12)
      best = std::max(best, point.true_positive_rate);
  return best;
}

}  // namespace hijack
