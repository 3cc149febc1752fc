#include "src/experiment/evaluate/evaluation_record.h"

#include "src/base/error.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/run/defense_setup.h"

namespace hijack {

using nlohmann::json;

namespace {

/// Equal but for what another machine's rounding does to a threshold.
bool same_calibration(json kept, const json& now) {
  const auto is_number = [](const json& entry) { return entry.value("threshold", json()).is_number(); };
  if (is_number(kept) && is_number(now) &&
      same_threshold(kept["threshold"].get<double>(), now["threshold"].get<double>()))
    kept["threshold"] = now["threshold"];
  return kept == now;
}

}  // namespace

void EvaluationRecord::add_stack(const IdentifiedStack& stack) {
  json& list = manifest_["calibrations"];
  if (!list.is_array()) list = json::array();
  if (stack.defenses.empty()) return;
  manifest_["stacks"][stack.digest] = stack.record;
  for (const std::string& folder : stack.models)
    manifest_["defense_models"][model_hash(folder)] = RunInputs::model_entry(folder);
  for (const json& entry : calibration_entries(stack)) {
    const auto same = [&](const json& other) {
      return other.is_object() && other.value("stack", "") == stack.digest &&
             other.value("defense", "") == entry["defense"];
    };
    const auto found = std::find_if(list.begin(), list.end(), same);
    if (found == list.end())
      list.push_back(entry);
    else if (!same_calibration(*found, entry))
      throw Error("The calibration of " + entry["defense"].get<std::string>() +
                  " in the manifest is not the one that its calibration prompts give (threshold " +
                  (*found).value("threshold", json()).dump() + ", now " + entry["threshold"].dump() +
                  "): the manifest was changed, or other code made it; evaluate a fresh run.");
  }
}

void EvaluationRecord::add_utility_set(const std::string& model, const UtilitySet& set) {
  json& sets = manifest_["utility_sets"];
  if (!sets.is_object()) sets = json::object();
  const json record = set.record();
  if (sets.contains(model) && sets[model].is_object() &&
      sets[model].value("sha256", "") == record.value("sha256", ""))
    return;
  if (sets.contains(model))
    throw Error("This run was evaluated with the utility set " +
                (sets[model].is_object() ? sets[model].value("name", json()).dump() : sets[model].dump()) +
                ", and keeps to it: give that one, --utility 0, or evaluate another run.");
  sets[model] = record;
}

void EvaluationRecord::add_adaptive_plan(const json& plan) {
  json& plans = manifest_["adaptive_plans"];
  if (!plans.is_array()) plans = json::array();
  if (std::find(plans.begin(), plans.end(), plan) == plans.end()) plans.push_back(plan);
}

std::optional<std::string> EvaluationRecord::suffix(const std::string& key) const {
  const json::json_pointer place = json::json_pointer("/text_suffixes") / key / "text";
  if (!manifest_.contains(place) || !manifest_.at(place).is_string()) return {};
  return manifest_.at(place).get<std::string>();
}

}  // namespace hijack
