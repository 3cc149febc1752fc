#include "src/experiment/plan/plan.h"

#include <charconv>

#include "defenses/make_defense.h"
#include "src/base/error.h"
#include "src/base/nearest.h"
#include "src/base/text.h"
#include "src/experiment/plan/methods.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr size_t kMaxTrials = 100'000;

/// Letters, digits and "-_=." only: an id is also a file name.
std::string file_part(const std::string& text) {
  return plain_name(text, "_=.").substr(0, 40);
}

/// What an id begins with: behavior, budget and photo.
std::string base_of(const AttackConfig& config) {
  const std::string photo = config.universal        ? "universal"
                            : config.images.empty() ? "text"
                                                    : std::filesystem::path(config.images[0]).stem().string();
  return file_part(config.behavior.name) + "-" + file_part(method_label(config)) + "-" + file_part(photo);
}

json settings_of(AttackConfig config) {
  json settings = fields_to_json(fields_of(config));
  settings.erase("seed");
  return settings;
}

/// A value as an id shows it: a list's parts side by side, of a folder only its last name (where it lies says
/// nothing about the trial).
std::string shown_in_id(const json& value) {
  if (value.is_array()) {
    std::string parts;
    for (const json& part : value) parts += (parts.empty() ? "" : "_") + shown_in_id(part);
    return parts.empty() ? "none" : parts;
  }
  if (!value.is_string()) return file_part(value.dump());
  const auto text = value.get<std::string>();
  const std::filesystem::path path = text;
  if (!path.is_absolute()) return file_part(text);
  return file_part((path.has_filename() ? path : path.parent_path()).filename().string());
}

/// "-steps=60" for every field whose value is not the same in all plans of one base; long values by their
/// beginning and a digest.
std::string differences_of(const json& settings, const std::set<std::string>& differing) {
  constexpr size_t kLongest = 24;
  std::string text;
  for (const std::string& field : differing) {
    const json& value = settings[field];
    std::string shown = shown_in_id(value);
    if (shown.size() > kLongest) shown = shown.substr(0, kLongest) + "." + digest_of(value).substr(0, 4);
    text += "-" + field + "=" + shown;
  }
  return text;
}

/// Of the differing fields, for settings whose ids would be the same: folders of one name in two places.
std::string digest_of_differences(const json& settings, const std::set<std::string>& differing) {
  json values = json::object();
  for (const std::string& field : differing) values[field] = settings[field];
  return "." + digest_of(values).substr(0, 4);
}

/// Gives ids that say in what the trials differ. Throws Error when two are the same.
void name_trials(std::vector<TrialPlan>& plans) {
  std::map<std::string, std::vector<std::pair<TrialPlan*, json>>> groups;
  for (TrialPlan& plan : plans) groups[base_of(plan.config)].emplace_back(&plan, settings_of(plan.config));
  for (const auto& [base, group] : groups) {
    std::set<std::string> differing, ids, trials;
    for (const auto& [plan, settings] : group)
      for (const auto& [field, value] : settings.items())
        if (value != group.front().second[field]) differing.insert(field);
    for (const auto& [plan, settings] : group) {
      const std::string shown = base + differences_of(settings, differing);
      const std::string whole = shown + digest_of_differences(settings, differing);
      const std::string seed = "-s" + std::to_string(plan->config.seeds[0]);
      plan->id = (ids.insert(shown + seed).second ? shown : whole) + seed;
      if (!trials.insert(whole + seed).second)
        throw Error("Two trials of the experiment are the same (" + shown + seed +
                    "): each counts once; take one of them out.");
    }
  }
}

void append(std::vector<TrialPlan>& plans, const AttackConfig& config) {
  std::vector<std::vector<std::string>> photos;  // of each trial
  if (config.universal)
    photos = {config.images};
  else if (config.images.empty())
    photos = {{}};  // of a language model
  else
    for (const std::string& image : config.images) photos.push_back({image});
  for (const auto& images : photos) {
    for (const uint64_t seed : config.seeds) {
      if (plans.size() >= kMaxTrials) throw Error("The experiment has more than 100000 trials; split it.");
      TrialPlan plan{"", config};
      for (std::string& defense : plan.config.defense.defenses) defense = public_defense(defense);
      plan.config.images = images;
      plan.config.seeds = {seed};
      plans.push_back(std::move(plan));
    }
  }
}

/// Every combination of the lists of `block`; what is no list, or a list field itself, stays as it is.
std::vector<json> combinations(const json& block, const std::set<std::string>& list_fields,
                               const std::string& where) {
  std::vector<json> all = {json::object()};
  for (const auto& [key, value] : block.items()) {
    if (value.is_array() && value.empty() && !list_fields.contains(key))
      throw Error(where + " [[grid]]: '" + key +
                  "' is an empty list, which leaves no trial: give it a value, or leave the line out.");
    const json choices = value.is_array() && !list_fields.contains(key) ? value : json::array({value});
    std::vector<json> longer;
    if (all.size() * choices.size() > kMaxTrials)
      throw Error("The grid has more than 100000 trials; split it.");
    for (const json& one : all) {
      for (const json& choice : choices) {
        longer.push_back(one);
        longer.back()[key] = choice;
      }
    }
    all = std::move(longer);
  }
  return all;
}

std::set<std::string> list_fields(AttackConfig config) {
  std::set<std::string> names;
  for (const Field& field : fields_of(config))
    if (std::holds_alternative<std::vector<std::string>*>(field.value) ||
        std::holds_alternative<std::vector<uint64_t>*>(field.value))
      names.insert(field.name);
  return names;
}

/// Files for other commands are TOML, too.
void refuse_other_files(const json& experiment, const std::string& where) {
  if (experiment.contains("title") && experiment.contains("departs"))
    throw Error(where + " is a recipe: run it with hijack reproduce " + where + ".");
  if (experiment.contains("paper") && experiment.contains("departs"))
    throw Error(where +
                " is a preset of hijack attack: shipped ones are used with hijack attack --preset NAME.");
  if (experiment.contains("attack") || experiment.contains("grid")) return;
  AttackConfig config;
  for (const Field& field : fields_of(config))
    if (experiment.contains(field.name))
      throw Error(where + " has attack fields at its top level (" + field.name +
                  "): run it with hijack attack --config " + where +
                  ", or write them under [attack] for hijack run.");
}

void check_tables(const json& experiment, const std::string& where) {
  refuse_other_files(experiment, where);
  const std::vector<std::string> known = {"attack", "grid"};
  for (const auto& [key, value] : experiment.items())
    if (std::find(known.begin(), known.end(), key) == known.end())
      throw Error(where + ": " + unknown_name("table", key, known));
  if (experiment.contains("grid") && !experiment["grid"].is_array())
    throw Error(where + ": write [[grid]] with two brackets: there may be several.");
  if (experiment.contains("grid") && experiment["grid"].empty())
    throw Error(where + ": 'grid' is an empty list, which leaves no trial: write [[grid]], or leave it out.");
}

}  // namespace

std::string TrialPlan::photo_name(const std::string& file) const {
  const auto found = names.find(file);
  return found == names.end() ? file : found->second;
}

std::string TrialPlan::model_name(const std::string& folder) const {
  const auto found = names.find(folder);
  return found == names.end() ? hijack::model_name(folder) : found->second;
}

std::vector<TrialPlan> plan_trials(const AttackConfig& config) {
  std::vector<TrialPlan> plans;
  append(plans, config);
  name_trials(plans);
  return plans;
}

std::vector<AttackConfig> each_epsilon(const AttackConfig& config) {
  const std::vector<std::string> radii = comma_parts(config.constraint.epsilon);
  if (radii.size() == 1) return {config};
  const bool measures = config.constraint.name == "linf" &&
                        (method_of(config) == Method::kImage || method_of(config) == Method::kJoint);
  if (!measures)
    throw Error("several --epsilon (" + config.constraint.epsilon.substr(0, 80) +
                ") need constraint linf and an image that is searched, not constraint " +
                config.constraint.name + " with method " + config.method + ": give one.");
  std::vector<AttackConfig> configs;
  std::set<double> known;
  for (const std::string& radius : radii) {
    if (!known.insert(parse_epsilon(radius)).second)
      throw Error("--epsilon " + radius +
                  " is given twice: each radius is a trial of its own, so give it once.");
    configs.push_back(config);
    configs.back().constraint.epsilon = radius;
  }
  return configs;
}

namespace {

/// One after the other with each of its radii, resolved.
void append_each(std::vector<TrialPlan>& plans, const AttackConfig& config,
                 const std::set<std::string>& given) {
  for (AttackConfig& one : each_epsilon(config)) {
    resolve(one, given);
    append(plans, one);
  }
}

}  // namespace

std::vector<TrialPlan> plan_trials(const AttackConfig& config, const std::set<std::string>& given) {
  std::vector<TrialPlan> plans;
  append_each(plans, config, given);
  name_trials(plans);
  return plans;
}

std::vector<TrialPlan> read_experiment(const std::filesystem::path& file, const std::string& model) {
  return plans_of_experiment(read_toml(file), file.string(), file.parent_path(), model);
}

std::vector<TrialPlan> plans_of_experiment(const json& experiment, const std::string& where,
                                           const std::filesystem::path& folder, const std::string& model) {
  check_tables(experiment, where);
  AttackConfig shared;
  const auto shared_given =
      set_fields(fields_of(shared), experiment.value("attack", json::object()), where + " [attack]");
  std::vector<TrialPlan> plans;
  for (const json& block : experiment.value("grid", json::array({json::object()}))) {
    if (!block.is_object()) throw Error(where + ": write [[grid]] with two brackets: there may be several.");
    for (const json& combination : combinations(block, list_fields(shared), where)) {
      AttackConfig config = shared;
      auto given = set_fields(fields_of(config), combination, where + " [[grid]]");
      given.insert(shared_given.begin(), shared_given.end());
      find_beside(config, folder);
      if (!model.empty()) config.model = model;
      append_each(plans, config, given);
    }
  }
  name_trials(plans);
  return plans;
}

std::vector<TrialPlan> take_shard(const std::vector<TrialPlan>& plans, const std::string& shard) {
  const auto number = [](std::string_view text) {
    size_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() ? value : 0;
  };
  const size_t slash = shard.find('/');
  const size_t part = number(std::string_view(shard).substr(0, slash));
  const size_t parts = slash == std::string::npos ? 0 : number(std::string_view(shard).substr(slash + 1));
  if (part < 1 || part > parts)
    throw Error("shard '" + shard.substr(0, 40) +
                "' is not a part of a run; write 1/2 for the first of two.");
  std::vector<TrialPlan> taken;
  for (size_t i = part - 1; i < plans.size(); i += parts) taken.push_back(plans[i]);
  if (taken.empty())
    throw Error("shard " + shard + " has no trials: the experiment has only " + std::to_string(plans.size()) +
                ".");
  return taken;
}

TrialPlan plan_from_json(const json& item, const std::string& where) {
  if (!item.is_object() || !item.contains("id") || !item["id"].is_string() || !item.contains("config"))
    throw Error(where + ": each plan needs an 'id' and a 'config'.");
  TrialPlan plan;
  plan.id = item["id"].get<std::string>();
  if (plan.id.empty() || plan.id.find('/') != std::string::npos || plan.id.front() == '.')
    throw Error(where + ": '" + plan.id + "' is not a trial id.");
  set_fields(fields_of(plan.config), item["config"], where + " plan " + plan.id);
  const bool photos_fit =
      plan.config.universal ? !plan.config.images.empty() : plan.config.images.size() <= 1;
  if (!photos_fit || plan.config.seeds.size() != 1)
    throw Error(where + " plan " + plan.id +
                ": a trial has exactly one seed and, unless it is universal, at most one image.");
  return plan;
}

}  // namespace hijack
