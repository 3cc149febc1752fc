#include "src/experiment/report/aggregate/differences.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "src/experiment/plan/identity.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

constexpr std::string_view kHash = "_sha256";
constexpr size_t kDigits = 6;  ///< shown of a digest

bool is_sum(const std::string& text) {
  return (text.size() == 64 || text.size() == 16) &&
         text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

std::string shown_text(const std::string& text) {
  constexpr size_t kLongest = 60;
  if (text.empty()) return "none";
  return is_sum(text) ? text.substr(0, kDigits) : clean_text(text, kLongest);
}

/// Of numbers and of texts that begin with one.
std::optional<double> number_of(const Object& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  if (is_sum(text)) return std::nullopt;
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return end == text.c_str() || !std::isfinite(number) ? std::nullopt : std::optional(number);
}

/// Sizes whose 0 stands for everything there is ("0 = all" in their help); a table that said 0 would deny it.
bool is_all(const std::string& field, const Object& value) {
  constexpr std::array<std::string_view, 8> kSizes = {
      "train", "validation", "test", "batch", "photo_batch", "suffix_contexts", "suffix_top_k", "top_k"};
  return value == 0 && std::find(kSizes.begin(), kSizes.end(), field) != kSizes.end();
}

}  // namespace

const Object& field_of(const Object& object, const std::string& name) {
  static const Object kNone;
  if (!object.is_object()) return kNone;
  const auto found = object.find(name);
  return found == object.end() ? kNone : *found;
}

std::vector<std::string> differing_fields(std::span<const Object* const> objects) {
  std::set<std::string> names;
  for (const Object* object : objects)
    if (object->is_object())
      for (const auto& [name, value] : object->items()) names.insert(name);
  std::vector<std::string> differing;
  for (const std::string& name : names)
    if (std::any_of(objects.begin(), objects.end(), [&](const Object* one) {
          return field_of(*one, name) != field_of(*objects.front(), name);
        }))
      differing.push_back(name);
  return differing;
}

std::string shown_name(const std::string& field) {
  return field.ends_with(kHash) ? field.substr(0, field.size() - kHash.size()) : field;
}

std::string shown_value(const Object& value) {
  if (value.is_null()) return "–";
  if (value.is_string()) return shown_text(value.get<std::string>());
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number()) return value.dump();
  if (value.empty()) return "none";
  if (!value.is_array()) return clean_text(value.dump(-1, ' ', false, Object::error_handler_t::replace), 60);
  std::string list;
  for (const Object& one : value) list += (list.empty() ? "" : ", ") + shown_value(one);
  return list;
}

std::vector<std::string> shown_values(std::span<const Object* const> objects, const std::string& field) {
  std::map<std::string, const Object*> looks;
  bool ambiguous = false;
  std::vector<std::string> values;
  for (const Object* object : objects) {
    const Object& value = field_of(*object, field);
    values.push_back(is_all(field, value) ? "all" : shown_value(value));
    ambiguous = ambiguous || *looks.emplace(values.back(), &value).first->second != value;
  }
  for (size_t i = 0; ambiguous && i < values.size(); ++i)
    values[i] += " #" + digest_of(field_of(*objects[i], field)).substr(0, kDigits);
  return values;
}

std::string labeled(const std::string& field, const std::string& value) {
  const bool text = value.find(' ') != std::string::npos;
  return shown_name(field) + "=" + (text ? "\"" + value + "\"" : value);
}

bool value_before(const Object& a, const Object& b) {
  if (a.is_null() || b.is_null()) return a.is_null() && !b.is_null();
  const auto first = number_of(a), second = number_of(b);
  if (first && second && *first != *second) return *first < *second;
  return a < b;
}

bool fields_before(const Object& a, const Object& b, const std::vector<std::string>& fields) {
  for (const std::string& field : fields) {
    const Object &first = field_of(a, field), &second = field_of(b, field);
    if (value_before(first, second)) return true;
    if (value_before(second, first)) return false;
  }
  return false;
}

std::vector<std::string> difference_labels(std::span<const Object* const> objects) {
  std::vector<std::string> labels(objects.size());
  for (const std::string& field : differing_fields(objects)) {
    const auto values = shown_values(objects, field);
    for (size_t i = 0; i < labels.size(); ++i)
      labels[i] += (labels[i].empty() ? "" : ", ") + labeled(field, values[i]);
  }
  return labels;
}

}  // namespace hijack::report
