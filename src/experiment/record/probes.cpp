#include "src/experiment/record/probes.h"

#include "src/experiment/record/row_fields.h"

namespace hijack {

nlohmann::json to_json(const ProbeRow& row) {
  return fields_to_row(row);
}

ProbeRow probe_from_json(const nlohmann::json& json, const std::string& where) {
  return row_from_fields<ProbeRow>(json, where);
}

}  // namespace hijack
