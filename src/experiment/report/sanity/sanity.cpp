#include "src/experiment/report/sanity/sanity.h"

#include "src/experiment/report/sanity/checks.h"

namespace hijack {

std::string name(Severity severity) {
  switch (severity) {
    case Severity::failure:
      return "failure";
    case Severity::warning:
      return "warning";
    case Severity::information:
      return "information";
  }
  return "";
}

std::vector<Flag> sanity_flags(const std::vector<RunRecord>& runs) {
  std::vector<Flag> flags;
  for (const report::TrialRef& ref : report::all_trials(runs)) sanity::check_trial(ref, flags);
  sanity::check_rows(runs, flags);
  sanity::check_settings(report::settings(runs), flags);
  sanity::check_calibrations(runs, flags);
  sanity::check_defenses(report::defenses(runs), flags);
  std::stable_sort(flags.begin(), flags.end(), [](const Flag& a, const Flag& b) {
    return std::tie(a.severity, a.name) < std::tie(b.severity, b.name);
  });
  return flags;
}

}  // namespace hijack
