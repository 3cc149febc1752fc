#pragma once
#include "src/experiment/record/results.h"

namespace hijack {

/// In the run folder.
inline constexpr const char* kProbesFile = "probes.jsonl";

nlohmann::json to_json(const ProbeRow& row);
/// Throws Error naming `where` and the field.
ProbeRow probe_from_json(const nlohmann::json& json, const std::string& where);

}  // namespace hijack
