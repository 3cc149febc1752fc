#pragma once
#include <string>
#include <utility>
#include <vector>

#include "src/experiment/report/aggregate/trials.h"

namespace hijack::report {

/// What a trial's saved image does after it was processed (hijack evaluate --survival): exact success on
/// held-out contexts by the name of the processing, in the order of the rows.
struct Survival {
  TrialRef trial;
  std::vector<std::pair<std::string, Rate>> success;
};
/// Of the trials that were asked. Empty where none was.
std::vector<Survival> survivals(const std::vector<RunRecord>& runs);
/// The names of all processings, in order of appearance.
std::vector<std::string> processing_names(const std::vector<Survival>& all);
/// n = 0 where it was not asked.
Rate success_after(const Survival& one, const std::string& processing);

}  // namespace hijack::report
