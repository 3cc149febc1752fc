#pragma once
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "src/base/distributions.h"

// The statistics of the report. Rates are successes out of n; everything is exact or a textbook formula.

namespace hijack {

struct Interval {
  double low = 0;
  double high = 1;
};

/// Wilson score interval of a rate (Wilson 1927), within [0,1]. n = 0 gives [0,1].
/// Throws std::invalid_argument unless 0 <= successes <= n and 0 < confidence < 1.
Interval wilson_interval(int64_t successes, int64_t n, double confidence = 0.95);

/// McNemar's test for paired outcomes, exact and two-sided. `only_first` pairs succeeded only under the first
/// condition, `only_second` only under the second; pairs that agree say nothing. 1 when no pair differs.
double mcnemar_exact(int64_t only_first, int64_t only_second);

/// NaN for an empty span.
double mean(std::span<const double> values);
/// Sample standard deviation (n - 1); NaN for fewer than two values.
double standard_deviation(std::span<const double> values);
/// NaN for an empty span; the mean of the two middle values for an even count.
double median(std::span<const double> values);

/// Of the draws of a bootstrap (at least one): their 2.5 and 97.5 % points, each the nearest draw.
Interval percentile_interval(std::vector<double> draws);

/// Least-squares line through (0, y0), (1, y1), ...
struct Trend {
  double slope = 0;
  double standard_error = 0;  ///< of the slope
};
/// Throws std::invalid_argument for fewer than three values.
Trend linear_trend(std::span<const double> values);

/// A detector that calls everything with score >= threshold an attack.
struct RocPoint {
  double threshold = 0;
  double false_positive_rate = 0;
  double true_positive_rate = 0;
};
/// From (0,0) at an infinite threshold to (1,1); one point per distinct score. Larger score = more
/// suspicious. Throws std::invalid_argument when a side is empty or a score is NaN.
std::vector<RocPoint> roc_points(std::span<const double> benign, std::span<const double> attacks);
/// Area under that curve = P(attack scores higher than benign), ties counted half.
double auroc(std::span<const double> benign, std::span<const double> attacks);
/// The largest share of attacks that a threshold finds whose false-positive rate on `benign` is at most
/// `false_positive_rate`, in [0,1]: a point of the curve, not interpolated. Fewer than 1 / rate benign scores
/// allow no false positive at all. Throws as roc_points does, and for a rate outside [0,1].
double detection_rate_at(std::span<const double> benign, std::span<const double> attacks,
                         double false_positive_rate);

}  // namespace hijack
