#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/experiment/plan/plan.h"
#include "src/experiment/record/run_inputs.h"

namespace hijack {

/// What a run was made from, so that it can be made again:
///   hijack     version        command    attack or run      started   UTC
///   plans      [{id, config, setting_digest, trial_digest}] every trial with its resolved config
///   inputs, models            the files and weights behind it, with their hashes (run_inputs.h)
///   libraries  {torch, compiler, build}     machine {system, processor, cores, threads, device}
///   calibrations  thresholds of detectors    stacks, variants  {digest: settings}: filled by evaluate, as are
///   utility_sets  {hash of a model: the benign questions that it was asked}
///   query_scores  {"URL#MODEL, reply": what attacks on it follow}, where that had to be found out
///   defense_models  {HASH: as in models}, of defenses that `evaluate` was given with model=DIR
/// The plans need their identity.
nlohmann::json make_manifest(const std::string& command, const std::vector<TrialPlan>& plans,
                             const RunInputs& inputs);

/// "2026-11-22T15:42:00Z"
std::string utc_now();
std::string hijack_version();

}  // namespace hijack
