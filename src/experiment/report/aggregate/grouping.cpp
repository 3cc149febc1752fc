#include "src/experiment/report/aggregate/grouping.h"

#include "src/experiment/report/aggregate/differences.h"
#include "src/experiment/report/aggregate/settings.h"

namespace hijack::report {
namespace {

/// What was searched with settings of its own: text of either kind, and adaptive images.
bool is_searched(const ReplyRow& reply) {
  return reply.condition == "text_suffix" || reply.condition == "text_adaptive" ||
         reply.condition == "adaptive";
}

const Object& entry_of(const RunRecord& run, const char* list, const std::string& key) {
  return field_of(field_of(run.manifest, list), key);
}

/// The keys of one attack, whose replies may have been drawn in several ways.
std::vector<std::string> ways_of(const std::string& attack, const std::set<std::string>& keys) {
  std::vector<std::string> ways;
  for (auto key = keys.lower_bound(attack); key != keys.end() && key->starts_with(attack); ++key)
    if (key->size() == attack.size() || (*key)[attack.size()] == kDrawn) ways.push_back(*key);
  return ways;
}

/// Labels for keys with an object each, by what differs; those without an object by their first digits.
std::map<std::string, std::string> labels_of(const std::map<std::string, const Object*>& keys) {
  std::map<std::string, std::string> labels;
  std::vector<const Object*> objects;
  for (const auto& [key, object] : keys) objects.push_back(object);
  const auto differences = difference_labels(objects);
  std::map<std::string, int> uses;
  size_t i = 0;
  for (const auto& [key, object] : keys) ++uses[labels[key] = differences[i++]];
  for (auto& [key, label] : labels)
    if (keys.size() > 1 && (label.empty() || uses[label] > 1))
      label += (label.empty() ? "" : ", ") + ("digest " + key.substr(0, 6));
  return labels;
}

/// How replies were asked for, in words: the key's end, and what a victim behind an API calls itself.
std::string way_in_words(const std::vector<RunRecord>& runs, const std::string& way) {
  for (const RunRecord& run : runs) {
    const Object& victims = field_of(run.manifest, "victims");
    if (!victims.is_object()) continue;
    for (const auto& [name, known] : victims.items()) {
      if (!way.ends_with("asked of " + name)) continue;
      std::string says;
      for (const Object& one : field_of(known, "answered_as"))
        if (one.is_string() && one != field_of(known, "model"))
          says += (says.empty() ? "" : ", ") + one.get<std::string>();
      return way + (says.empty() ? "" : " (it says: " + says + ")");
    }
  }
  return way;
}

/// Of the replies that nothing is said about.
std::string usual_way(const std::vector<std::string>& ways) {
  const bool victims = std::any_of(ways.begin(), ways.end(), [](const std::string& way) {
    return way.find("asked of ") != std::string::npos;
  });
  return victims ? "the attacked model" : "greedy replies";
}

}  // namespace

std::vector<EvaluatedAttack> evaluated_attacks(const std::vector<RunRecord>& runs,
                                               const std::vector<Asked>& all) {
  std::set<std::string> asked;
  std::map<std::string, std::string> models;
  for (const Asked& one : all) {
    models.emplace(one.attack, one.model);
    if (one.reply->condition != "benign") asked.insert(one.attack);
  }
  const std::vector<Setting> named = settings(runs);
  const bool several_models = std::any_of(named.begin(), named.end(),
                                          [&](const Setting& one) { return one.model != named[0].model; });
  std::vector<EvaluatedAttack> attacks;
  for (const Setting& setting : named) {
    const std::string label = (several_models ? setting.model + ", " : "") + setting.behavior + ", " +
                              short_constraint(setting.constraint) + ", " + setting.optimizer +
                              needed_label(setting);
    const std::string base = attack_key(*setting.trials.front().trial);
    const std::vector<std::string> ways = ways_of(base, asked);
    for (const std::string& key : ways) {
      const std::string way = key == base ? usual_way(ways) : way_in_words(runs, key.substr(base.size() + 1));
      attacks.push_back({key, models[key], label + (ways.size() > 1 ? ", " + way : "")});
      asked.erase(key);
    }
  }
  for (const std::string& key : asked) attacks.push_back({key, models[key], ""});  // rows without a trial
  if (attacks.empty()) attacks.emplace_back();
  if (attacks.size() == 1) attacks[0].label.clear();
  return attacks;
}

bool belongs(const EvaluatedAttack& attack, const Asked& asked) {
  if (asked.reply->condition != "benign") return asked.attack == attack.key;
  return !asked.trial || asked.model == attack.model;
}

std::vector<StackName> stack_names(const std::vector<Asked>& all) {
  std::vector<StackName> stacks = {{"none", "none", ""}};
  std::map<std::string, std::map<std::string, Object>> by_name;
  for (const Asked& one : all) {
    auto& known = by_name[one.reply->defense];
    if (one.stack == "none" || known.contains(one.stack)) continue;
    known.emplace(one.stack, stack_record(*one.run, *one.reply));
    stacks.push_back({one.stack, one.reply->defense, ""});
  }
  for (const auto& [name, records] : by_name) {
    std::map<std::string, const Object*> keys;
    for (const auto& [key, record] : records) keys.emplace(key, &record);
    const auto labels = labels_of(keys);
    for (StackName& stack : stacks)
      if (stack.defense == name && keys.contains(stack.key)) stack.details = labels.at(stack.key);
  }
  return stacks;
}

Variants::Variants(const std::vector<const Asked*>& rows) {
  std::map<std::string, std::map<std::string, const Object*>> keys;
  for (const Asked* one : rows) {
    if (!is_searched(*one->reply)) continue;
    const bool own = one->trial && one->trial->adaptive;
    keys[one->reply->condition].emplace(
        one->variant, own ? &one->trial->setting : &entry_of(*one->run, "variants", one->variant));
  }
  for (const auto& [condition, objects] : keys)
    if (objects.size() > 1) labels_[condition] = labels_of(objects);
  for (const Asked* one : rows)
    if (const auto label = of(*one); label && std::find(names_.begin(), names_.end(), *label) == names_.end())
      names_.push_back(*label);
  if (names_.empty()) names_.emplace_back();
}

std::optional<std::string> Variants::of(const Asked& asked) const {
  const auto found = labels_.find(asked.reply->condition);
  if (found == labels_.end()) return std::nullopt;
  return found->second.at(asked.variant);
}

}  // namespace hijack::report
