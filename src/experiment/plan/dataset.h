#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "attacks/behavior.h"
#include "attacks/wrappers/templates.h"

namespace hijack {

/// The contexts of an experiment, by use. The image is optimized on `train`, chosen on `validation`, reported
/// on `test`; detectors set their thresholds on `calibration`. No context is in two of them.
struct ContextSet {
  std::vector<Context> train;
  std::vector<Context> validation;
  std::vector<Context> test;
  std::vector<Context> calibration;
  /// Contexts that bring a target of their own, with it.
  std::vector<std::pair<Context, std::string>> targets;

  const std::vector<Context>& split(const std::string& name) const;
};

/// A corpus of contexts. JSONL, one object per line: {"prompt": "…", "split":
/// "train|validation|test|calibration"} and optionally "system": "…", "earlier": [{"user": "…", "assistant":
/// "…"}] and "target": "…", what the attack shall make of this context.
///
/// A .csv is read as AdvBench lays it out: column `goal` (or `prompt`), and optionally `target`, `system` and
/// `split`. Without a column `split`, of four different rows the first and third train, the second is held
/// out for the test, the fourth validates; repeated rows are dropped.
///
/// Throws Error with file and line for anything else: unknown keys or columns, ill-formed UTF-8, empty
/// prompts, lines over 64 KiB, a context that occurs twice: each counts once. Throws Error for a
/// file without contexts.
ContextSet read_contexts(const std::filesystem::path& file);

/// The first `limit` contexts of a split; 0 = all. Throws Error where there are none.
std::vector<Context> first_of_split(const ContextSet& all, const std::string& split, int64_t limit);

/// How many of each split to use, in file order; 0 = all.
struct SplitSizes {
  int64_t train = 0;
  int64_t validation = 0;
  int64_t test = 0;
};

/// Throws Error when the file has fewer than asked for, or nothing to train or test on.
ContextSet take(const ContextSet& all, const SplitSizes& sizes, const std::string& where);

/// What may stand around prompts, for --templates. JSONL, one object per line: {"system": "…", "earlier":
/// [{"user": "…", "assistant": "…"}]}, both optional; {} is the plain chat. Throws Error with file and line
/// for anything else, for lines that occur twice, and for a file without any.
std::vector<ChatSetting> read_templates(const std::filesystem::path& file);

/// {"prompt", "system", "earlier"} of a context; what is empty is left out.
nlohmann::json context_to_json(const Context& context);

}  // namespace hijack
