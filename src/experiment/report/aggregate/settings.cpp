#include "src/experiment/report/aggregate/settings.h"

#include "src/experiment/report/aggregate/naming.h"

namespace hijack::report {
namespace {

void add(Pools& pools, const std::string& name, const TrialRow& trial, const Tally& tally) {
  report::add(pools[name].exact, trial, tally.exact, tally.n, tally.draws);
  report::add(pools[name].substring, trial, tally.substring, tally.n, tally.draws);
}

/// A trial outside its budget has not succeeded on any model; its controls stay.
Tally allowed(const TrialRow& trial, const std::string& name, Tally tally) {
  if (name == "attack" && !trial.budget.respected) tally.exact = tally.substring = 0;
  return tally;
}

/// Which trials of a setting repeat what others have asked.
class Once {
 public:
  /// Of trials with one adversarial image the first counts.
  bool attack(const TrialRow& trial) {
    const std::string key = image_key(trial);
    return key.empty() || images_.insert(key).second;
  }
  /// The clean image of a photo answers the same whatever the seed.
  bool clean(const TrialRow& trial, const std::string& model, const Tally& tally) {
    return clean_.insert({photo_key(trial), model, std::to_string(tally.n), std::to_string(tally.exact)})
        .second;
  }

 private:
  std::set<std::string> images_;
  std::set<std::vector<std::string>> clean_;
};

void pool_transfer(Setting& setting, const TrialRow& trial, bool fresh_image, Once& once) {
  for (const auto& [model, tallies] : trial.transfer)
    for (const auto& [name, tally] : tallies) {
      const bool counts = name == "attack"  ? fresh_image
                          : name == "clean" ? once.clean(trial, model, tally)
                                            : true;
      if (counts) add(setting.transfer[model], name, trial, allowed(trial, name, tally));
    }
}

std::vector<double> rates_by_seed(const std::vector<TrialRef>& trials) {
  std::map<uint64_t, Tally> by_seed;
  for (const TrialRef& ref : trials) {
    const Tally tally = counted(*ref.trial, "test");
    by_seed[ref.trial->seed].n += tally.n;
    by_seed[ref.trial->seed].exact += tally.exact;
  }
  std::vector<double> rates;
  for (const auto& [seed, tally] : by_seed)
    if (tally.n) rates.push_back(rate_of(tally).value());
  return rates;
}

void summarize(Setting& setting) {
  Once once;
  std::vector<double> step_seconds;
  std::vector<TrialRef> fresh;
  for (const TrialRef& ref : setting.trials) {
    const TrialRow& trial = *ref.trial;
    const bool fresh_image = once.attack(trial);
    if (fresh_image) {
      fresh.push_back(ref);
      for (const auto& [split, tally] : trial.success)
        add(setting.success, split, trial, counted(trial, split));
    }
    for (const auto& [name, tally] : trial.controls)
      if (name != "clean" || once.clean(trial, "", tally)) add(setting.controls, name, trial, tally);
    pool_transfer(setting, trial, fresh_image, once);
    if (std::isfinite(trial.seconds_per_step)) step_seconds.push_back(trial.seconds_per_step);
  }
  setting.seed_rates = rates_by_seed(fresh);
  setting.seconds_per_step = median(step_seconds);
}

Setting begin(const TrialRow& row) {
  Setting setting;
  setting.digest = row.setting_digest;
  setting.fields = row.setting;
  setting.model = row.model;
  setting.behavior = row.behavior;
  setting.constraint = row.constraint;
  setting.constraint_name = row.constraint_name;
  setting.optimizer = row.optimizer;
  setting.defense = row.defense;
  setting.adaptive = row.adaptive;
  setting.epsilon_255 = row.epsilon_255;
  setting.patch_size = row.patch_size;
  return setting;
}

}  // namespace

std::vector<Setting> settings(const std::vector<RunRecord>& runs) {
  std::vector<Setting> all;
  std::map<std::string, size_t> index;
  for (const TrialRef& ref : distinct_trials(runs)) {
    const std::string& digest = ref.trial->setting_digest;
    const auto [found, fresh] = index.emplace(digest, all.size());
    if (fresh || digest.empty()) {
      found->second = all.size();
      all.push_back(begin(*ref.trial));
    }
    all[found->second].trials.push_back(ref);
  }
  for (Setting& setting : all) summarize(setting);
  name_settings(all);
  sort_settings(all);
  return all;
}

std::vector<Setting> bare_settings(const std::vector<RunRecord>& runs) {
  std::vector<Setting> all = settings(runs), bare;
  for (const Setting& setting : all)
    if (setting.defense == "none") bare.push_back(setting);
  return bare.empty() ? all : bare;
}

std::string needed_label(const Setting& setting) {
  std::string label;
  for (const Difference& one : setting.differences)
    if (one.needed) label += ", " + one.label;
  return label;
}

namespace {

std::string behind(const Setting& setting) {
  if (setting.defense == "none") return "";
  return (setting.adaptive ? ", adaptive to " : ", behind ") + setting.defense;
}

}  // namespace

std::string setting_label(const Setting& setting) {
  return short_constraint(setting.constraint) + needed_label(setting) + behind(setting);
}

std::string defended_constraint(const Setting& setting) {
  return short_constraint(setting.constraint) + behind(setting);
}

std::vector<std::string> difference_names(const std::vector<Setting>& settings) {
  std::vector<std::string> names;
  if (!settings.empty())
    for (const Difference& one : settings.front().differences) names.push_back(one.name);
  return names;
}

std::vector<Transfer> transfers(const std::vector<Setting>& settings) {
  std::vector<Transfer> result;
  for (const Setting& setting : settings) {
    if (setting.transfer.empty()) continue;
    const std::string names = setting.trials.front().trial->model;
    const std::string asked = setting.model.substr(0, setting.model.find(" + "));
    result.push_back({&setting, asked, true, exact_of(setting.success, "test"),
                      exact_of(setting.controls, "clean"), exact_of(setting.controls, "noise")});
    for (const auto& [model, pools] : setting.transfer)
      result.push_back({&setting, model,
                        (" + " + names + " + ").find(" + " + model + " + ") != std::string::npos,
                        exact_of(pools, "attack"), exact_of(pools, "clean"), exact_of(pools, "noise")});
  }
  return result;
}

std::string short_constraint(const std::string& constraint) {
  constexpr std::string_view kSpace = " (model input space)";
  return constraint.ends_with(kSpace) ? constraint.substr(0, constraint.size() - kSpace.size()) : constraint;
}

double constraint_size(const std::string& constraint) {
  for (size_t at = 0; at + 1 < constraint.size(); ++at)
    if (constraint[at] == ' ' && std::isdigit(static_cast<unsigned char>(constraint[at + 1])))
      return std::strtod(constraint.c_str() + at, nullptr);
  return -1;
}

}  // namespace hijack::report
