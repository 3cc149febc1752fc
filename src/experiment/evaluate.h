#pragma once
#include <string>
#include <vector>

#include "attacks/text/gcg.h"
#include "src/experiment/runner.h"

namespace hijack {

/// What `hijack evaluate` does with a finished run.
struct EvaluateConfig {
  std::vector<std::string> defenses;
  bool stack = false;
  int64_t utility = 60;
  GcgConfig suffix = {};
  double false_positive_rate = .01;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("defense", defenses, "defense with its parameters (jpeg:quality=75); give the flag once for each");
    field("stack", stack, "also evaluate all of them together, the first outermost");
    field("utility", utility, "benign questions with known answers that measure what a defense costs");
    suffix.visit(field);
    field("false_positive_rate", false_positive_rate,
          "share of the benign calibration prompts a detector may reject; 0 = its threshold is their largest "
          "score, as Jain et al. have it");
  }
};

/// Asks the model of every trial again: without a defense, behind each defense alone, and, if wished, behind
/// all of them. The saved adversarial image and the clean one on the held-out contexts, the clean image with
/// the text-side control, and benign utility questions. Thresholds are fitted on the contexts file's
/// calibration split, which nothing else uses. Appends reply rows, and the calibrations and suffixes to the
/// manifest. What an earlier evaluation has already asked is not asked again. True when done, false when
/// stopped. Throws Error for a run without trials, unknown defenses, and for a contexts file without
/// calibration split when a defense needs one.
bool evaluate_run(const std::filesystem::path& folder, const EvaluateConfig& config, const RunHooks& hooks,
                  const ModelSource& models);

}  // namespace hijack
