#pragma once
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "defenses/defense.h"
#include "defenses/resources.h"

// Thresholds from benign scores, by split conformal prediction (Vovk, Gammerman, Shafer 2005; Angelopoulos &
// Bates 2021, arXiv:2107.07511, section 1): of n scores the one of rank ceil((n + 1)(1 - alpha)). A new
// benign submission that is exchangeable with them scores above it with probability at most
// (n + 1 - rank) / (n + 1) <= alpha, whatever the distribution. The empirical quantile, rank
// ceil(n (1 - alpha)), has no such bound. Scores with ties make it hold with room to spare; a threshold at
// the largest possible score is a detector that cannot fire, which Calibration says.

namespace hijack {

/// Fewer benign scores than this make no threshold, whatever alpha.
inline constexpr int64_t kFewestCalibrationScores = 20;

/// Benign scores without which no threshold can hold `alpha`: 1 / alpha - 1, rounded up, and at least
/// kFewestCalibrationScores. alpha in [0,1); 0 = the largest benign score, which promises no rate.
int64_t fewest_calibration_scores(double alpha);

/// Benign submissions that detectors use at most: twice the fewest, and at least 200. Each costs replies.
int64_t most_calibration_scores(double alpha);

/// What a detector may reject: 1 - quantile where its parameters give a quantile, in (0,1], and the run's
/// false-positive rate otherwise.
double wanted_alpha(double quantile, const DefenseResources& resources);

/// Throws Error that names the number needed, and what else can be done, for fewer than
/// fewest_calibration_scores(alpha). `name` is the defense; `what` is counted: "benign prompts".
void check_calibration_size(const std::string& name, const std::string& what, int64_t n, double alpha);

/// The threshold for benign scores: their order statistic of rank ceil((n + 1)(1 - alpha)), not
/// interpolated; alpha 0: the largest one (Jain et al. 2023). Throws Error for too few, Failure for scores
/// that are not finite. `fitted_on` is left to the caller.
Calibration calibrate(const std::string& name, std::vector<double> benign_scores, double alpha,
                      double ceiling = std::numeric_limits<double>::infinity());

/// SHA-256 of submissions, in order: prompts, system prompts, earlier turns, and image values.
std::string submissions_sha256(std::span<const Submission> submissions);

}  // namespace hijack
