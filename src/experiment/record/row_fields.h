#pragma once
#include "src/base/json.h"
#include "src/experiment/record/row_reader.h"

namespace hijack {

/// Rows that name their fields once, for both directions: visit(field) calls field(name, member) for each;
/// texts, true or false, counts and numbers (which may be NaN). All fields are required.
template <class Row>
nlohmann::json fields_to_row(Row row) {
  nlohmann::json json = nlohmann::json::object();
  row.visit([&](const char* name, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, double>)
      json[name] = number_or_null(value);
    else
      json[name] = value;
  });
  return json;
}

struct FieldReader {
  const RowReader& from;
  void operator()(const char* name, std::string& value) const { value = from.text(name); }
  void operator()(const char* name, bool& value) const { value = from.boolean(name); }
  void operator()(const char* name, int64_t& value) const { value = from.integer(name, 0); }
  void operator()(const char* name, double& value) const { value = from.real(name); }
};

/// Throws Error naming `where` and the field.
template <class Row>
Row row_from_fields(const nlohmann::json& json, const std::string& where) {
  const RowReader fields(json, where);
  Row row;
  row.visit(FieldReader{fields});
  return row;
}

}  // namespace hijack
