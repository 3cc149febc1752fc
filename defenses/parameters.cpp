#include "defenses/parameters.h"

#include <charconv>

#include "models/endpoint/address.h"
#include "src/base/error.h"
#include "src/base/nearest.h"

namespace hijack {
namespace {

std::string exact_number(double value) {
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value).ptr;  // shortest that reads back
  return std::string(buffer, end);
}

std::string exact_text(const Field& field) {
  if (const auto* number = std::get_if<double*>(&field.value)) return exact_number(**number);
  return value_text(field);
}

std::string escaped(const std::string& value) {
  std::string out;
  for (char c : value) {
    if (c == ',' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ", ") + item;
  return out;
}

}  // namespace

void set_parameters(const Fields& fields, const DefenseSpec& spec) {
  std::vector<std::string> names;
  for (const Field& field : fields) names.push_back(field.name);
  for (const auto& [key, text] : spec.parameters) {
    const auto found = std::find(names.begin(), names.end(), key);
    if (found == names.end()) throw Error(unknown_name("parameter of '" + spec.name + "'", key, names));
    const Field& field = fields[static_cast<size_t>(found - names.begin())];
    try {
      set_field(field, {&text, 1});
    } catch (const Error&) {
      throw Error("Defense '" + spec.name + "': parameter '" + key + "' cannot be '" + without_login(text) +
                  "'; write it like its default, " + key + "=" + value_text(field) + ".");
    }
    const auto* number = std::get_if<double*>(&field.value);
    if (number && !std::isfinite(**number))
      throw Error("Defense '" + spec.name + "': parameter '" + key + "' must be a finite number.");
  }
}

std::string written_name(const std::string& name, const Fields& now, const Fields& defaults) {
  std::string out = name;
  for (size_t i = 0; i < now.size(); ++i) {
    const std::string text = exact_text(now[i]);
    if (i > 0 && text == exact_text(defaults[i])) continue;
    out += (out.size() == name.size() ? ":" : ",") + now[i].name + "=" + escaped(text);
  }
  return out;
}

std::string written_spec(const DefenseSpec& spec) {
  std::string out = spec.name;
  for (const auto& [key, value] : spec.parameters)
    out += (out.size() == spec.name.size() ? ":" : ",") + key + "=" + escaped(value);
  return out;
}

void check_range(const char* parameter, double value, double low, double high) {
  if (value >= low && value <= high) return;
  throw Error(std::string("Defense parameter '") + parameter + "' must lie between " + exact_number(low) +
              " and " + exact_number(high) + ", not " + exact_number(value) + ".");
}

void check_choice(const char* parameter, const std::string& value, const std::vector<std::string>& allowed) {
  if (std::find(allowed.begin(), allowed.end(), value) != allowed.end()) return;
  throw Error(std::string("Defense parameter '") + parameter + "' cannot be '" + without_login(value) +
              "': choose from " + joined(allowed) + ".");
}

}  // namespace hijack
