#include "src/experiment/report/aggregate/naming.h"

#include <tuple>

#include "src/experiment/report/aggregate/differences.h"

namespace hijack::report {
namespace {

/// What model, behavior, constraint, optimizer and defense say by themselves, unless two settings have all of
/// these in common.
const std::set<std::string> kTold = {
    "model_sha256", "behavior",   "constraint", "epsilon",      "l2_radius",      "patch_size",
    "patch_top",    "patch_left", "patch_size", "border_width", "mask_sha256",    "space",
    "method",       "optimizer",  "defense",    "adaptive",     "ensemble_sha256"};

auto order(const Setting& setting) {
  return std::make_tuple(setting.defense != "none", setting.defense, setting.adaptive, setting.model,
                         setting.behavior, setting.constraint_name, constraint_size(setting.constraint),
                         setting.constraint, setting.optimizer);
}

/// Of each setting: whether another one with the same fixed columns has another value.
std::vector<bool> needed_by(const std::vector<Setting>& all, const std::string& field) {
  std::map<decltype(order(all[0])), std::set<Object>> values;
  for (const Setting& setting : all) values[order(setting)].insert(field_of(setting.fields, field));
  std::vector<bool> needed;
  for (const Setting& setting : all) needed.push_back(values[order(setting)].size() > 1);
  return needed;
}

/// A value for each value of the column: the column tells it.
bool follows(const std::vector<Setting>& all, const std::string& field, std::string Setting::*column) {
  std::map<std::string, const Object*> seen;
  for (const Setting& setting : all) {
    const auto [found, fresh] = seen.emplace(setting.*column, &field_of(setting.fields, field));
    if (!fresh && *found->second != field_of(setting.fields, field)) return false;
  }
  return true;
}

/// Texts and files that go with a behavior or a model, such as its target and contexts, are told by it;
/// numbers are worth a column.
bool is_told(const std::vector<Setting>& all, const std::string& field) {
  if (kTold.contains(field)) return true;
  const bool plain = std::all_of(all.begin(), all.end(), [&](const Setting& setting) {
    const Object& value = field_of(setting.fields, field);
    return value.is_number() || value.is_boolean();
  });
  return !plain && (follows(all, field, &Setting::behavior) || follows(all, field, &Setting::model));
}

void name_models(std::vector<Setting>& all) {
  std::map<std::string, std::set<std::string>> weights;
  const auto weights_of = [](const Setting& setting) {
    const Object& sum = field_of(setting.fields, "model_sha256");
    return sum.is_string() ? sum.get<std::string>() : "";
  };
  for (const Setting& setting : all) weights[setting.model].insert(weights_of(setting));
  for (Setting& setting : all) {
    if (weights[setting.model].size() < 2) continue;
    const std::string sum = weights_of(setting);
    const size_t first = std::min(setting.model.find(" + "), setting.model.size());
    setting.model.insert(first, " (weights " + (sum.empty() ? "unknown" : shown_value(sum)) + ")");
  }
}

}  // namespace

void name_settings(std::vector<Setting>& all) {
  if (all.empty()) return;
  name_models(all);
  std::vector<const Object*> objects;
  for (const Setting& setting : all) objects.push_back(&setting.fields);
  for (const std::string& field : differing_fields(objects)) {
    const std::vector<bool> needed = needed_by(all, field);
    if (std::find(needed.begin(), needed.end(), true) == needed.end() && is_told(all, field)) continue;
    const std::vector<std::string> values = shown_values(objects, field);
    for (size_t i = 0; i < all.size(); ++i)
      all[i].differences.push_back({shown_name(field), values[i], labeled(field, values[i]), needed[i]});
  }
}

void sort_settings(std::vector<Setting>& all) {
  std::vector<const Object*> objects;
  for (const Setting& setting : all) objects.push_back(&setting.fields);
  const std::vector<std::string> fields =
      all.empty() ? std::vector<std::string>{} : differing_fields(objects);
  std::stable_sort(all.begin(), all.end(), [&](const Setting& a, const Setting& b) {
    const auto first = order(a), second = order(b);
    return first != second ? first < second : fields_before(a.fields, b.fields, fields);
  });
}

}  // namespace hijack::report
