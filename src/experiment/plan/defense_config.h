#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace hijack {

/// The defenses of an experiment, and what the attack does about them.
struct DefenseConfig {
  std::vector<std::string> defenses;
  double false_positive_rate = .01;
  bool adaptive = false;
  int64_t draws = 4;
  double detector_weight = 1;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("defense", defenses,
          "defense with its parameters (jpeg:quality=75); give the flag once for each, the outermost first");
    field(
        "false_positive_rate", false_positive_rate,
        "share of benign submissions a detector may reject, guaranteed for such as it was fitted on (split "
        "conformal): .01 needs at least 99 calibration prompts, and shows on 200 or more; 0 = its threshold "
        "is the largest benign score, as Jain et al. have it");
    field("adaptive", adaptive,
          "the attack knows the defenses: it is optimized through their surrogates, keeps the scores of "
          "detectors low, and sees the prompts that text transforms make");
    field("adaptive_draws", draws, "adaptive: draws of a random defense per step, gradients averaged");
    field("detector_weight", detector_weight,
          "adaptive: weight of a detector's score above 80 % of its threshold, in units of the threshold");
  }
};

/// Throws Error for defenses that cannot be parsed, numbers out of range, and `adaptive` without defense.
void check(const DefenseConfig& config);

}  // namespace hijack
