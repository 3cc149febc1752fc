#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "src/experiment/record/results.h"

// Run folders with made-up rows and real PNG files, for tests of the report. Deterministic.

namespace hijack::support {

/// One trial (string, 8/255) with replies on all splits, controls, and evaluated defenses (jpeg, perplexity).
RunRecord small_run(const std::filesystem::path& folder);

/// Three behaviors x six epsilons and two patch sizes x three seeds, without replies; pictures for the first
/// few.
RunRecord sweep_run(const std::filesystem::path& folder);

/// small_run with replies, prompts and names that try to break out of the page.
RunRecord hostile_run(const std::filesystem::path& folder);

/// Fills in the setting as far as the row tells it, with `more` fields, and both digests.
void give_identity(TrialRow& row, const nlohmann::json& more = nlohmann::json::object());

/// Writes manifest.json, trials.jsonl and replies.jsonl of a record into its folder.
void write_run(const RunRecord& run);

}  // namespace hijack::support
