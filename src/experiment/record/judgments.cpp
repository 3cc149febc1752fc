#include "src/experiment/record/judgments.h"

#include "src/base/json.h"
#include "src/experiment/plan/identity.h"
#include "src/experiment/record/row_reader.h"

namespace hijack {

std::string reply_key(const ReplyRow& reply) {
  return digest_of(to_json(reply));
}

nlohmann::json to_json(const JudgmentRow& row) {
  nlohmann::json json = {{"reply", row.reply}, {"judge", row.judge}, {"success", row.success}};
  if (std::isfinite(row.score)) json["score"] = row.score;
  if (row.unclear) json["unclear"] = true;
  if (!row.answer.empty()) json["answer"] = row.answer;
  if (!row.model_sha256.empty()) json["model_sha256"] = row.model_sha256;
  return json;
}

JudgmentRow judgment_from_json(const nlohmann::json& json, const std::string& where) {
  const RowReader fields(json, where);
  JudgmentRow row;
  row.reply = fields.text("reply");
  row.judge = fields.text("judge");
  row.success = fields.boolean("success");
  row.score = fields.real_or("score", row.score);
  row.unclear = json.contains("unclear") && fields.boolean("unclear");
  row.answer = fields.text_or_empty("answer");
  row.model_sha256 = fields.text_or_empty("model_sha256");
  return row;
}

}  // namespace hijack
