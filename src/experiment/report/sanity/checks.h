#pragma once
#include <string>
#include <vector>

#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/sanity/sanity.h"

// The checks behind sanity_flags, by what they look at. Each adds its flags.

namespace hijack::sanity {

using Flags = std::vector<Flag>;

/// "93% (56 of 60)".
std::string counted_text(int64_t successes, int64_t n);
std::string counted_text(const report::Rate& rate);

/// One trial's row (trial_checks.cpp).
void check_trial(const report::TrialRef& ref, Flags& flags);

/// Settings beside each other (setting_checks.cpp).
void check_settings(const std::vector<report::Setting>& all, Flags& flags);

/// Whether the rows are what they claim to be: counted twice, edited, cut (row_checks.cpp).
void check_rows(const std::vector<RunRecord>& runs, Flags& flags);

/// Thresholds and where they come from (calibration_checks.cpp).
void check_calibrations(const std::vector<RunRecord>& runs, Flags& flags);

/// Defenses against attacks (defense_checks.cpp).
void check_defenses(const std::vector<report::DefenseSummary>& all, Flags& flags);

}  // namespace hijack::sanity
