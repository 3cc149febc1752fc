#include "src/experiment/record/probes.h"

#include "src/base/json.h"
#include "src/experiment/record/row_reader.h"

namespace hijack {

nlohmann::json to_json(const ProbeRow& row) {
  return {{"key", row.key},
          {"trial", row.trial},
          {"photo", row.photo},
          {"image", row.image},
          {"group", row.group},
          {"pair", row.pair},
          {"prompt", row.prompt},
          {"answer", row.answer},
          {"reply", row.reply},
          {"cut", row.cut},
          {"said", row.said},
          {"preferred", row.preferred},
          {"margin", number_or_null(row.margin)}};
}

ProbeRow probe_from_json(const nlohmann::json& json, const std::string& where) {
  const RowReader fields(json, where);
  ProbeRow row;
  row.key = fields.text("key");
  row.trial = fields.text("trial");
  row.photo = fields.text("photo");
  row.image = fields.text("image");
  row.group = fields.text("group");
  row.pair = fields.text("pair");
  row.prompt = fields.text("prompt");
  row.answer = fields.text("answer");
  row.reply = fields.text("reply");
  row.cut = fields.boolean("cut");
  row.said = fields.boolean("said");
  row.preferred = fields.boolean("preferred");
  row.margin = fields.real("margin");
  return row;
}

}  // namespace hijack
