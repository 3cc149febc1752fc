#include "src/experiment/report/aggregate.h"

#include <limits>
#include <tuple>

#include "attacks/behavior.h"
#include "src/base/error.h"
#include "src/experiment/report/text.h"
#include "src/experiment/sanity.h"

namespace hijack::report {
namespace {

void add(Tally& sum, const Tally& tally) {
  sum.n += tally.n;
  sum.exact += tally.exact;
  sum.contained += tally.contained;
}

/// A trial outside its budget has not succeeded on any model; its controls stay.
Tally allowed(const TrialRow& trial, const std::string& name, Tally tally) {
  if (name == "attack" && !trial.budget.respected) tally.exact = tally.contained = 0;
  return tally;
}

/// "l2 12.2" -> 12.2: so that sizes stand in their order, whatever the constraint counts in.
double first_number(const std::string& text) {
  for (size_t at = 0; at + 1 < text.size(); ++at)
    if (text[at] == ' ' && std::isdigit(static_cast<unsigned char>(text[at + 1])))
      return std::strtod(text.c_str() + at, nullptr);
  return -1;
}

auto order(const TrialRow& row) {
  return std::make_tuple(row.defense != "none", row.defense, row.adaptive, row.model, row.behavior,
                         row.constraint_name, first_number(row.constraint), row.constraint, row.optimizer);
}

void summarize(Setting& setting) {
  std::map<uint64_t, Tally> by_seed;
  std::vector<double> step_seconds;
  for (const TrialRef& ref : setting.trials) {
    for (const auto& [split, tally] : ref.trial->success)
      add(setting.success[split], counted(*ref.trial, split));
    for (const auto& [name, tally] : ref.trial->controls) add(setting.controls[name], tally);
    for (const auto& [model, tallies] : ref.trial->transfer)
      for (const auto& [name, tally] : tallies)
        add(setting.transfer[model][name], allowed(*ref.trial, name, tally));
    add(by_seed[ref.trial->seed], counted(*ref.trial, "test"));
    if (std::isfinite(ref.trial->seconds_per_step)) step_seconds.push_back(ref.trial->seconds_per_step);
  }
  for (const auto& [seed, tally] : by_seed)
    if (tally.n)
      setting.seed_rates.push_back(static_cast<double>(tally.exact) / static_cast<double>(tally.n));
  setting.seconds_per_step = median(step_seconds);
}

}  // namespace

double Rate::value() const {
  return n ? static_cast<double>(successes) / static_cast<double>(n)
           : std::numeric_limits<double>::quiet_NaN();
}

Tally tally_of(const Tallies& tallies, const std::string& name) {
  const auto found = tallies.find(name);
  return found == tallies.end() ? Tally{} : found->second;
}

std::string shown(const Rate& rate) {
  return rate.n ? percent(rate.value()) + " (" + percent(rate.interval()) + ")" : "–";
}

std::string shown(const Tallies& tallies, const std::string& name) {
  const Tally tally = tally_of(tallies, name);
  return shown(Rate{tally.exact, tally.n});
}

std::vector<TrialRef> all_trials(const std::vector<RunRecord>& runs) {
  std::vector<TrialRef> trials;
  for (const RunRecord& run : runs)
    for (const TrialRow& trial : run.trials) trials.push_back({&run, &trial, trial_label(runs, run, trial)});
  return trials;
}

Tally counted(const TrialRow& trial, const std::string& split) {
  Tally tally = tally_of(trial.success, split);
  if (!trial.budget.respected) tally.exact = tally.contained = 0;
  return tally;
}

Tally control(const TrialRow& trial, const std::string& name) {
  return tally_of(trial.controls, name);
}

std::vector<Setting> settings(const std::vector<RunRecord>& runs) {
  std::map<decltype(order(TrialRow{})), Setting> groups;
  for (const TrialRef& ref : all_trials(runs)) {
    const TrialRow& row = *ref.trial;
    Setting& setting = groups[order(row)];
    if (setting.trials.empty())
      setting = {row.model,
                 row.behavior,
                 row.constraint,
                 row.constraint_name,
                 row.optimizer,
                 row.defense,
                 row.adaptive,
                 row.epsilon_255,
                 row.patch_size,
                 {},
                 {},
                 {},
                 {},
                 {},
                 0};
    setting.trials.push_back(ref);
  }
  std::vector<Setting> result;
  for (auto& [key, setting] : groups) {
    summarize(setting);
    result.push_back(std::move(setting));
  }
  return result;
}

std::vector<Setting> bare_settings(const std::vector<RunRecord>& runs) {
  std::vector<Setting> all = settings(runs), bare;
  for (const Setting& setting : all)
    if (setting.defense == "none") bare.push_back(setting);
  return bare.empty() ? all : bare;
}

std::string setting_label(const Setting& setting) {
  const std::string constraint = short_constraint(setting.constraint);
  if (setting.defense == "none") return constraint;
  return constraint + (setting.adaptive ? ", adaptive to " : ", behind ") + setting.defense;
}

std::vector<Transfer> transfers(const std::vector<Setting>& settings) {
  const auto rate = [](const Tallies& tallies, const char* name) {
    const Tally tally = tally_of(tallies, name);
    return Rate{tally.exact, tally.n};
  };
  std::vector<Transfer> result;
  for (const Setting& setting : settings) {
    if (setting.transfer.empty()) continue;
    const std::string asked = setting.model.substr(0, setting.model.find(" + "));
    result.push_back({&setting, asked, true, rate(setting.success, "test"), rate(setting.controls, "clean"),
                      rate(setting.controls, "noise")});
    for (const auto& [model, tallies] : setting.transfer)
      result.push_back({&setting, model,
                        (" + " + setting.model + " + ").find(" + " + model + " + ") != std::string::npos,
                        rate(tallies, "attack"), rate(tallies, "clean"), rate(tallies, "noise")});
  }
  return result;
}

std::string short_constraint(const std::string& constraint) {
  constexpr std::string_view kSpace = " (model input space)";
  return constraint.ends_with(kSpace) ? constraint.substr(0, constraint.size() - kSpace.size()) : constraint;
}

std::string context_key(const Query& context) {
  // The lengths make the parts unambiguous.
  std::string key = std::to_string(context.system.size()) + ':' + context.system;
  for (const Turn& turn : context.earlier)
    for (const std::string* text : {&turn.user, &turn.assistant})
      key += std::to_string(text->size()) + ':' + *text;
  return key + '\x1f' + context.prompt;
}

std::vector<ContextReplies> held_out_replies(const TrialRef& trial) {
  std::map<std::string, const ReplyRow*> clean;
  const std::string& suffix = trial.trial->suffix;
  const auto without_suffix = [&](Query context) {
    if (!suffix.empty() && context.prompt.ends_with(" " + suffix))
      context.prompt.resize(context.prompt.size() - suffix.size() - 1);
    return context;
  };
  for (const ReplyRow& reply : trial.run->replies)
    if (reply.trial == trial.trial->id && reply.condition == "clean" && reply.split == "test" &&
        reply.defense == trial.trial->defense)
      clean.emplace(reply.photo + '\n' + context_key(reply.context), &reply);
  std::vector<ContextReplies> result;
  for (const ReplyRow& reply : trial.run->replies) {
    if (reply.trial != trial.trial->id || reply.condition != attack_condition(*trial.trial) ||
        reply.split != "test" || reply.defense != trial.trial->defense)
      continue;
    const auto found = clean.find(reply.photo + '\n' + context_key(without_suffix(reply.context)));
    result.push_back({&reply, found == clean.end() ? nullptr : found->second});
  }
  return result;
}

std::optional<double> mean_edit_distance(const TrialRef& trial) {
  std::unique_ptr<Behavior> behavior;
  try {
    behavior = make_behavior({trial.trial->behavior, trial.trial->target});
  } catch (const Error&) {
    return std::nullopt;  // rows of another version
  }
  // the others have no target of their own: it is what a model said, or what it is led away from
  if (!behavior->ends_reply() || behavior->default_objective() != "behavior") return std::nullopt;
  constexpr size_t kLongest = 2000;
  std::vector<double> distances;
  for (const ContextReplies& pair : held_out_replies(trial)) {
    const std::string& own = pair.attack->target;
    const std::string target = own.empty() ? behavior->target_for(pair.attack->context) : own;
    distances.push_back(
        static_cast<double>(levenshtein(pair.attack->reply.substr(0, kLongest), target.substr(0, kLongest))));
  }
  if (distances.empty()) return std::nullopt;
  return mean(distances);
}

namespace {

bool is_digest(const nlohmann::json& value) {
  if (!value.is_string()) return false;
  const auto& text = value.get_ref<const std::string&>();
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// "inputs / a.safetensors / sha256" -> "a.safetensors".
std::string trimmed(std::string path) {
  constexpr std::string_view kFirst = "inputs / ", kLast = " / sha256";
  if (path.ends_with(kLast)) path.resize(path.size() - kLast.size());
  return path.starts_with(kFirst) ? path.substr(kFirst.size()) : path;
}

void collect(const nlohmann::json& value, const std::string& path, std::vector<Digest>& found) {
  constexpr size_t kMost = 200;
  if (found.size() >= kMost) return;
  if (is_digest(value)) found.push_back({trimmed(path), value.get<std::string>()});
  if (!value.is_structured()) return;
  for (const auto& [key, inner] : value.items())
    collect(inner, path.empty() ? key : path + " / " + key, found);
}

}  // namespace

std::vector<Digest> digests(const nlohmann::json& manifest) {
  std::vector<Digest> found;
  collect(manifest, "", found);
  return found;
}

}  // namespace hijack::report
