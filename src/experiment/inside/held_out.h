#pragma once
#include "src/experiment/plan/inside_config.h"
#include "src/experiment/record/results.h"
#include "src/experiment/run/trial.h"

// `hijack inside`: what detectors tell apart on behaviors and photos that they have not learned from.

namespace hijack {

/// Measures each detector on the stored replies of a finished run. What learns is tested on replies of a
/// behavior and a photo, each of which it has not seen (where the run has one behavior or one photo only, the
/// other alone is held out); its scores are standardized by the honest examples it learned from, so that
/// folds can be pooled. Rows, appended to inside.jsonl: hijacks against the clean photos and noise of equal
/// size by behavior and constraint and over all, intervals by a bootstrap over prompts; controls: noise
/// against clean, and labels shuffled in the examples that are learned from. Returns nothing where stopped.
/// Throws Error for runs with one behavior and one photo, with fewer than ten replies of a kind, and as
/// feature_source, before anything is written.
std::vector<InsideRow> measure_inside(const std::filesystem::path& run, const InsideConfig& config,
                                      const RunHooks& hooks,
                                      const std::vector<std::string>& moved_models = {});

}  // namespace hijack
