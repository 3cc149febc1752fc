#pragma once
#include <string>

#include "src/experiment/record/results.h"

namespace hijack {

/// What a judgment is about: equal for equal rows, whatever their place in the file.
std::string reply_key(const ReplyRow& reply);

nlohmann::json to_json(const JudgmentRow& row);
/// Throws Error naming `where` and the field.
JudgmentRow judgment_from_json(const nlohmann::json& json, const std::string& where);

}  // namespace hijack
