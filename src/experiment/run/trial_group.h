#pragma once
#include <vector>

#include "src/experiment/run/runner.h"

// Trials that are attacked side by side (lockstep.h).

namespace hijack {

/// One past the last of the plans from `first` on that are like it but for photo, seed and radius, where its
/// method takes gradient steps on one photo and asks one model with weights; first + 1 otherwise.
size_t end_of_alike(const std::vector<TrialPlan>& plans, size_t first);

/// How many of such plans run side by side: as many as image_batch says in a number, the draws of a step
/// counted. 1 with `auto`, whose bytes do not depend on what else runs, and for models that take no several
/// images in one pass.
size_t trials_at_once(const AttackConfig& config, const VisionLanguageModel& model);

/// Trials of equal settings and one model to their rows, which are written in the trials' order. False when
/// stopped. Of one that fails, those behind it are stopped, those before it are finished, and its error is
/// thrown.
bool finish_together(const std::vector<const TrialPlan*>& plans, RunFolder& folder, const RunHooks& hooks,
                     const ModelSource& models, DefenseMaker& defenses);

}  // namespace hijack
