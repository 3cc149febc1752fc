#pragma once
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

// A config struct declares each field once, in a member template `visit(field)` that calls
// `field("name", member, "help")`; defaults are the member initializers. TOML files, command-line flags,
// --help and the manifest all come from that declaration.

namespace hijack {

using FieldValue = std::variant<std::string*, int64_t*, uint64_t*, double*, bool*, std::vector<std::string>*,
                                std::vector<uint64_t>*>;

/// One declared field of a live config object: valid as long as the object.
struct Field {
  std::string name;  ///< as in files: "step_size"
  FieldValue value;
  std::string help;
};
using Fields = std::vector<Field>;

namespace detail {
struct FieldCollector {
  Fields fields;
  template <class T>
  void operator()(const char* name, T& value, const char* help) {
    fields.push_back({name, &value, help});
  }
};
}  // namespace detail

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
/// be separated by commas. Throws Error.
void set_field(const Field& field, std::span<const std::string> texts);

}  // namespace hijack
