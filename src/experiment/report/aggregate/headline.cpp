#include "src/experiment/report/aggregate/aggregate.h"
#include "src/experiment/report/aggregate/encoders.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

/// "clean image 0%, random noise 1%"; names what was not measured.
std::string controls_of(const Pools& controls) {
  const auto one = [&](const char* label, const char* key) {
    const Rate rate = exact_of(controls, key);
    return std::string(label) + (rate.n ? " " + percent(rate.value()) : " not measured");
  };
  return one("clean image", "clean") + ", " + one("random noise", "noise");
}

std::string of_one(const Setting& setting) {
  const Rate rate = exact_of(setting.success, "test");
  const std::string who = setting.trials.size() == 1
                              ? "One image"
                              : "Images of " + std::to_string(setting.trials.size()) + " trials";
  if (!rate.n) return who + " attacked " + setting.model + ", but no held-out reply was measured.";
  std::string out_of_budget;
  for (const TrialRef& ref : setting.trials)
    if (!ref.trial->budget.respected)
      out_of_budget = " A saved image breaks its budget and counts as failed.";
  const std::string parts = disagreement(rate);
  return who + " made " + setting.model + " obey (" + setting.behavior + ") in " + percent(rate.value()) +
         " of " + std::to_string(rate.n) + " held-out replies" + (parts.empty() ? "" : " (" + parts + ")") +
         " within " + short_constraint(setting.constraint) + "; " + controls_of(setting.controls) + "." +
         out_of_budget;
}

std::string of_many(const std::vector<Setting>& all) {
  double lowest = 2, highest = -1, control = -1;
  for (const Setting& setting : all) {
    const Rate rate = exact_of(setting.success, "test");
    if (rate.n) lowest = std::min(lowest, rate.value()), highest = std::max(highest, rate.value());
    for (const auto& [name, pooled] : setting.controls)
      if (pooled.exact.n) control = std::max(control, pooled.exact.value());
  }
  const std::string count = std::to_string(all.size()) + " settings";
  if (highest < 0) return "No held-out reply was measured in " + count + ".";
  const std::string range = lowest == highest ? "is " + percent(highest)
                                              : "ranges from " + percent(lowest) + " to " + percent(highest);
  const std::string controls =
      control < 0 ? "no control was measured."
                  : "the clean image and random noise never exceed " + percent(control) + ".";
  return "Over " + count + ", success on held-out contexts " + range + "; " + controls;
}

}  // namespace

std::string headline(const std::vector<RunRecord>& runs) {
  const std::vector<Setting> all = bare_settings(runs);
  if (all.empty()) return "No trial has finished yet.";
  const bool nobody = std::all_of(all.begin(), all.end(), [](const Setting& setting) {
    return asked_nobody(*setting.trials.front().trial);
  });
  if (nobody) return encoders_headline(encoder_summaries(all));
  return all.size() == 1 ? of_one(all.front()) : of_many(all);
}

}  // namespace hijack::report
