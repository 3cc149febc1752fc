#pragma once
#include "src/experiment/record/results.h"

namespace hijack {

/// In the run folder.
inline constexpr const char* kInsideFile = "inside.jsonl";

nlohmann::json to_json(const InsideRow& row);
/// Throws Error naming `where` and the field.
InsideRow inside_from_json(const nlohmann::json& json, const std::string& where);

}  // namespace hijack
