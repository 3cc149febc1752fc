#include "src/experiment/record/inside.h"

#include "src/experiment/record/row_fields.h"

namespace hijack {

nlohmann::json to_json(const InsideRow& row) {
  return fields_to_row(row);
}

InsideRow inside_from_json(const nlohmann::json& json, const std::string& where) {
  return row_from_fields<InsideRow>(json, where);
}

}  // namespace hijack
