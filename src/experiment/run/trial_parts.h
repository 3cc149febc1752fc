#pragma once
#include <string>

#include "src/experiment/run/attack_space.h"
#include "src/experiment/run/prompts.h"
#include "src/experiment/run/trial.h"
#include "src/experiment/run/trial_judge.h"
#include "src/experiment/run/trial_objectives.h"

namespace hijack {

/// What the search of a trial and the measurement of its result share: where images may lie, what they are
/// optimized for, how they are judged, and whom to tell.
struct TrialParts {
  TrialParts(const TrialSetup& setup, const RunFolder& folder, const RunHooks& hooks);
  TrialParts(const TrialParts&) = delete;  // its parts refer to each other
  TrialParts& operator=(const TrialParts&) = delete;

  const TrialSetup& setup;
  const AttackConfig& config;
  const VisionLanguageModel& model;
  const RunFolder& folder;
  const RunHooks& hooks;
  AttackSpace space;
  TrialObjectives objectives;
  TrialJudge judge;

  const std::string& id() const { return setup.plan.id; }
  uint64_t seed() const { return config.seeds[0]; }
  /// Whether this process writes files: all do but the ranks behind the first.
  bool writes() const { return writes_files(hooks.machine.ranks); }
  /// Of this trial's work, from any beginning.
  double seconds() const;
  void note(const std::string& text) const;
  void progress(int64_t step, int64_t steps, double loss, double success) const;
};

}  // namespace hijack
