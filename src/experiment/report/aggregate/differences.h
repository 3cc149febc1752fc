#pragma once
#include <nlohmann/json.hpp>
#include <set>
#include <span>
#include <string>
#include <vector>

// What tells objects of settings (identity.h), stacks or variants apart, for columns, labels and order.

namespace hijack::report {

using Object = nlohmann::json;

/// Fields, in alphabetical order, that not all objects have with one value. Objects that are null have none.
std::vector<std::string> differing_fields(std::span<const Object* const> objects);

/// The field of an object; null where it has none.
const Object& field_of(const Object& object, const std::string& name);

/// How a column is called: "steps"; "contexts" for contexts_sha256.
std::string shown_name(const std::string& field);
/// "60", "0.05", "Hello there.", "3fa2c1" for a SHA-256 sum, "a, b" for a list, "none" for "" and [], "–" for
/// null.
std::string shown_value(const Object& value);
/// Of each object; "all" for 0 where 0 stands for all (train, batch); where values that differ would look the
/// same (long texts), with a digest behind them.
std::vector<std::string> shown_values(std::span<const Object* const> objects, const std::string& field);
/// "steps=60", "target=\"Hello there.\"".
std::string labeled(const std::string& field, const std::string& shown_value);

/// By number where both are numbers or begin with one ("8/255"), else by text; null first.
bool value_before(const Object& a, const Object& b);
/// By the fields in turn.
bool fields_before(const Object& a, const Object& b, const std::vector<std::string>& fields);

/// The objects' labels by what differs among them; "" where they are one.
std::vector<std::string> difference_labels(std::span<const Object* const> objects);

}  // namespace hijack::report
