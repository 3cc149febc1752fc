#include "defenses/calibration.h"

#include "src/base/error.h"

namespace hijack {

Calibration calibrate(const std::string& name, std::vector<double> benign_scores, double quantile) {
  TORCH_CHECK(quantile > 0 && quantile <= 1, "quantile ", quantile, " is outside (0,1]");
  const auto n = static_cast<int64_t>(benign_scores.size());
  if (n < kFewestCalibrationScores)
    throw Error("Defense '" + name + "' has " + std::to_string(n) +
                " benign examples to fit its threshold on: give at least " +
                std::to_string(kFewestCalibrationScores) + ", or set the threshold yourself.");
  for (double score : benign_scores)
    if (!std::isfinite(score))
      throw Failure("Defense '" + name + "' scored a benign example with a number that is not finite.");
  std::sort(benign_scores.begin(), benign_scores.end());
  // 1e-9: 0.95 * 20 is 19.000000000000004 in binary, and must stay rank 19.
  const auto rank = static_cast<int64_t>(std::ceil(quantile * static_cast<double>(n) - 1e-9));
  return {.name = name,
          .threshold = benign_scores[static_cast<size_t>(std::clamp<int64_t>(rank, 1, n) - 1)],
          .quantile = quantile,
          .n = n};
}

}  // namespace hijack
