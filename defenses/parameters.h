#pragma once
#include <memory>
#include <string>

#include "defenses/defense.h"
#include "src/base/fields.h"

// Every defense declares its parameters once, as a struct with `visit(field)` (see src/base/fields.h) and
// `check()`, which throws Error for values out of range.

namespace hijack {

/// Sets the fields that `spec` gives. Throws Error for unknown parameters (naming the nearest) and for values
/// of the wrong type.
void set_parameters(const Fields& fields, const DefenseSpec& spec);

template <class Parameters>
Parameters read_parameters(const DefenseSpec& spec) {
  Parameters parameters;
  set_parameters(fields_of(parameters), spec);
  parameters.check();
  return parameters;
}

/// What parse_defense reads back to `spec`, its parameters in alphabetical order.
std::string written_spec(const DefenseSpec& spec);

/// `name`, then the first parameter (it characterizes the defense) and those that differ from the default:
/// what parse_defense reads back to the same parameters.
std::string written_name(const std::string& name, const Fields& now, const Fields& defaults);

template <class Parameters>
std::string written_name(const std::string& name, Parameters parameters) {
  Parameters defaults;
  return written_name(name, fields_of(parameters), fields_of(defaults));
}

/// Throw Error when value is outside [low, high]; when it is none of `allowed`.
void check_range(const char* parameter, double value, double low, double high);
void check_choice(const char* parameter, const std::string& value, const std::vector<std::string>& allowed);

}  // namespace hijack
