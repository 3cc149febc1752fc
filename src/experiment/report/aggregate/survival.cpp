#include "src/experiment/report/aggregate/survival.h"

#include "src/experiment/report/aggregate/asked.h"

namespace hijack::report {

std::vector<Survival> survivals(const std::vector<RunRecord>& runs) {
  std::vector<Survival> all;
  for (const TrialRef& trial : distinct_trials(runs)) {
    Survival one{trial, {}};
    for (const ReplyRow& reply : trial.run->replies) {
      if (reply.trial != trial.trial->id || reply.condition != "survival") continue;
      const std::string whom = whom_asked(reply);
      const std::string name = reply.variant + (whom.empty() ? "" : ", " + whom);
      auto found = std::find_if(one.success.begin(), one.success.end(),
                                [&](const auto& known) { return known.first == name; });
      if (found == one.success.end()) found = one.success.insert(found, {name, {}});
      found->second.add(photo_key(*trial.trial), trial.trial->seed, Draw{reply.exact, reply.draw});
    }
    if (!one.success.empty()) all.push_back(std::move(one));
  }
  return all;
}

std::vector<std::string> processing_names(const std::vector<Survival>& all) {
  std::vector<std::string> names;
  for (const Survival& one : all)
    for (const auto& [name, rate] : one.success)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  return names;
}

Rate success_after(const Survival& one, const std::string& processing) {
  for (const auto& [name, rate] : one.success)
    if (name == processing) return rate;
  return {};
}

}  // namespace hijack::report
