#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "attacks/behavior.h"

namespace hijack {

/// The contexts of an experiment, by use. The image is optimized on `train`, chosen on `validation`, reported
/// on `test`; detectors set their thresholds on `calibration`. No context is in two of them.
struct ContextSet {
  std::vector<Context> train;
  std::vector<Context> validation;
  std::vector<Context> test;
  std::vector<Context> calibration;

  const std::vector<Context>& split(const std::string& name) const;
};

/// One JSON object per line: {"prompt": "…", "split": "train|validation|test|calibration"} and optionally
/// "system": "…" and "earlier": [{"user": "…", "assistant": "…"}].
/// Throws Error with file and line for anything else: unknown keys, ill-formed UTF-8, empty prompts, lines
/// over 64 KiB, a context that occurs in two splits.
ContextSet read_contexts(const std::filesystem::path& file);

/// How many of each split to use, in file order; 0 = all.
struct SplitSizes {
  int64_t train = 0;
  int64_t validation = 0;
  int64_t test = 0;
};

/// Throws Error when the file has fewer than asked for, or nothing to train or test on.
ContextSet take(const ContextSet& all, const SplitSizes& sizes, const std::string& where);

/// {"prompt", "system", "earlier"} of a context; what is empty is left out.
nlohmann::json context_to_json(const Context& context);

}  // namespace hijack
