#pragma once
#include <set>
#include <string>
#include <vector>

#include "src/experiment/record/results.h"
#include "src/experiment/report/values/rate.h"

// The gate of a build server: does an attack get through a defense more often than is allowed? What counts is
// not the rate that was seen but the upper end of its 95 % interval: few replies do not pass for want of
// evidence.

namespace hijack {

/// Success of the images behind one defense: of one trial, or of all of them.
struct GateCase {
  std::string defense;    ///< "jpeg:quality=75", with what tells it from others of its name
  std::string attack;     ///< "string, linf 8/255" where several settings were evaluated, else ""
  std::string condition;  ///< "static" or "adaptive"
  std::string trial;      ///< id; "" = pooled over the trials
  report::Rate rate;      ///< exact success on held-out contexts
  bool failed = false;
};

/// For each of `defenses` (names as in ReplyRow::defense) and each way of attacking it the pooled case and
/// then one for each trial. A pooled case fails when its upper bound exceeds `limit`, in [0,1); a trial's
/// when the pooled one fails and its own bound exceeds the limit, too. The bare model is no defense.
std::vector<GateCase> gate_cases(const RunRecord& run, const std::set<std::string>& defenses, double limit);

/// Names the failed defense with the largest bound, its numbers and how many others failed; "" when none did.
std::string gate_sentence(const std::vector<GateCase>& cases, double limit);

/// As JUnit XML, a test suite for each defense. Elements and attributes are those that Jenkins, GitLab and
/// pytest's junit family "xunit2" have in common.
std::string junit_report(const std::vector<GateCase>& cases, double limit);

}  // namespace hijack
