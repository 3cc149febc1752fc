#pragma once
#include <vector>

#include "defenses/defense.h"

namespace hijack {

/// Fewer benign scores than this make no threshold.
inline constexpr int64_t kFewestCalibrationScores = 20;

/// The smallest threshold at or below which at least quantile * n of the benign scores lie: an order
/// statistic, not interpolated; quantile 1 is the largest score. quantile in (0,1]. Throws Error for fewer
/// than kFewestCalibrationScores, Failure for scores that are not finite. `name` goes into messages.
Calibration calibrate(const std::string& name, std::vector<double> benign_scores, double quantile);

}  // namespace hijack
