#pragma once
#include <optional>
#include <string>
#include <vector>

#include "src/experiment/report/aggregate/asked.h"
#include "src/experiment/report/aggregate/defenses.h"
#include "src/experiment/report/aggregate/settings.h"
#include "src/experiment/report/aggregate/trials.h"
#include "src/experiment/report/values/rate.h"

// What the tables and charts of a report show, computed from rows once. Pointers refer to the runs given.

namespace hijack::report {

/// What the model said to one held-out context, on both images.
struct ContextReplies {
  const ReplyRow* attack = nullptr;
  const ReplyRow* clean = nullptr;  ///< null when it was not asked
};
/// The trial's own replies (undefended unless it attacked a defended model) on test contexts, in the order of
/// the rows.
std::vector<ContextReplies> held_out_replies(const TrialRef& trial);

/// A context as the user asked it, where the attack puts a suffix of its own behind it.
Query without_suffix(const TrialRow& trial, Query context);

/// Mean Levenshtein distance between undefended held-out replies and the target (Bailey et al. 2023). Absent
/// for behaviors whose target is only the start of a reply or comes from a model, and without replies.
std::optional<double> mean_edit_distance(const TrialRef& trial);

/// Strings of the manifest that are SHA-256 sums, with the path of keys that leads there.
struct Digest {
  std::string what;
  std::string sha256;
};
std::vector<Digest> digests(const nlohmann::json& manifest);

/// One sentence that states the result and its controls.
std::string headline(const std::vector<RunRecord>& runs);

}  // namespace hijack::report
