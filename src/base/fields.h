#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

// A config struct declares each field once, in a member template `visit(field)` that calls
// `field("name", member, "help")`; defaults are the member initializers. `field.group("Search")` names the
// heading of all that follow, also of a config that is visited next. TOML files, command-line flags, --help
// and the manifest all come from that declaration.

namespace hijack {

using FieldValue = std::variant<std::string*, int64_t*, uint64_t*, double*, bool*, std::vector<std::string>*,
                                std::vector<uint64_t>*>;

/// One declared field of a live config object: valid as long as the object.
struct Field {
  std::string name;  ///< as in files: "step_size"
  FieldValue value;
  std::string help;
  std::string group = {};  ///< heading of --help; "" = none
  /// A text that may list several values, separated by commas or as a list of texts: one trial each.
  bool each = false;
};
using Fields = std::vector<Field>;

namespace detail {
struct FieldCollector {
  Fields fields;
  std::string heading;
  template <class T>
  void operator()(const char* name, T& value, const char* help) {
    fields.push_back({name, &value, help, heading});
  }
  void each(const char* name, std::string& value, const char* help) {
    fields.push_back({name, &value, help, heading, true});
  }
  void group(const char* name) { heading = name; }
};
}  // namespace detail

/// Texts as one, separated by commas: "4/255,8/255".
std::string comma_list(std::span<const std::string> texts);
/// The parts between the commas of a text, without the spaces around them; of "" one empty part.
std::vector<std::string> comma_parts(const std::string& text);

/// The fields of a config object, in the order of declaration.
template <class Config>
Fields fields_of(Config& config) {
  detail::FieldCollector collector;
  config.visit(collector);
  return std::move(collector.fields);
}

/// "step_size" -> "--step-size".
std::string flag_name(const std::string& field_name);
/// The value as text, as the user would write it ("0.9", "a,b").
std::string value_text(const Field& field);
/// What a value looks like, for --help: "TEXT", "N", "X".
std::string type_text(const Field& field);

nlohmann::json fields_to_json(std::span<const Field> fields);

/// Sets the fields that `object` has and returns their names. Throws Error naming `where`: for a key that is
/// no field (with the nearest one that is), and for a value of the wrong type.
std::set<std::string> set_fields(std::span<const Field> fields, const nlohmann::json& object,
                                 const std::string& where);

/// Sets one field from what was given to its flag: one text, or several for lists. Numbers of a list may also
/// be separated by commas, and so are those of a text that may list several. Throws Error.
void set_field(const Field& field, std::span<const std::string> texts);

}  // namespace hijack
