#include "src/experiment/record/inside.h"

#include "src/base/json.h"
#include "src/experiment/record/row_reader.h"

namespace hijack {

nlohmann::json to_json(const InsideRow& row) {
  return {{"measured", row.measured},
          {"detector", row.detector},
          {"behavior", row.behavior},
          {"constraint", row.constraint},
          {"what", row.what},
          {"held_out", row.held_out},
          {"negatives", row.negatives},
          {"positives", row.positives},
          {"auroc", number_or_null(row.auroc)},
          {"low", number_or_null(row.low)},
          {"high", number_or_null(row.high)},
          {"found_at_1", number_or_null(row.found_at_1)},
          {"found_at_5", number_or_null(row.found_at_5)}};
}

InsideRow inside_from_json(const nlohmann::json& json, const std::string& where) {
  const RowReader fields(json, where);
  InsideRow row;
  row.measured = fields.text("measured");
  row.detector = fields.text("detector");
  row.behavior = fields.text("behavior");
  row.constraint = fields.text("constraint");
  row.what = fields.text("what");
  row.held_out = fields.text("held_out");
  row.negatives = fields.integer("negatives", 0);
  row.positives = fields.integer("positives", 0);
  row.auroc = fields.real("auroc");
  row.low = fields.real("low");
  row.high = fields.real("high");
  row.found_at_1 = fields.real("found_at_1");
  row.found_at_5 = fields.real("found_at_5");
  return row;
}

}  // namespace hijack
