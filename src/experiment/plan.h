#pragma once
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/experiment/config.h"

namespace hijack {

/// One trial that a run will do: a config with exactly one seed and, unless it is universal, one image.
struct TrialPlan {
  std::string id;  ///< names the trial's rows and files: "string-linf-8-cat-s0"
  AttackConfig config;
};

/// The trials of a resolved config: images x seeds (universal: seeds), with ids that differ from each other.
std::vector<TrialPlan> plan_trials(const AttackConfig& config);

/// The trials of an experiment file, in its order:
///
///     [attack]                     # optional: fields of `hijack attack` that all trials share
///     steps = 300
///     [[grid]]                     # every combination of the lists below is a trial
///     behavior = ["string", "leak"]
///     epsilon = ["4/255", "8/255"]
///     seed = [0, 1, 2]
///     [[grid]]                     # further blocks add their own combinations
///     constraint = "patch"
///     patch_size = [24, 32]
///
/// Throws Error that names the file and the key, or a grid of more than 100000 trials.
std::vector<TrialPlan> read_experiment(const std::filesystem::path& file);

/// The same from the file's content; `where` names it in messages.
std::vector<TrialPlan> plans_of_experiment(const nlohmann::json& experiment, const std::string& where);

/// Part i of n of the trials ("2/4": the 2nd, 6th, 10th ...), for processes or machines that share an
/// experiment. Each part has a run folder of its own; `hijack report` reads them together. Throws Error for
/// anything but 1 <= i <= n, and for a part without trials.
std::vector<TrialPlan> take_shard(const std::vector<TrialPlan>& plans, const std::string& shard);

/// Plans as the manifest keeps them, and back.
nlohmann::json plans_to_json(const std::vector<TrialPlan>& plans);
std::vector<TrialPlan> plans_from_json(const nlohmann::json& json, const std::string& where);

}  // namespace hijack
