#pragma once
#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "src/experiment/plan/config.h"
#include "src/experiment/plan/identity.h"

namespace hijack {

/// One trial that a run will do: a config with exactly one seed and, unless it is universal, one image.
struct TrialPlan {
  /// Names the trial's rows and files: "string-linf-8-cat-s0"; where trials of a run differ in other
  /// settings, these too: "string-linf-8-cat-steps=60-s0".
  std::string id;
  AttackConfig config;
  Identity identity = {};  ///< of the config and its files; empty until a run begins
  /// How rows call photos and models whose path here is another than the user gave (run_inputs.h).
  std::map<std::string, std::string> names = {};

  std::string photo_name(const std::string& file) const;
  std::string model_name(const std::string& folder) const;
};

/// One config for each radius that `epsilon` lists ("4/255,8/255"). Throws Error for one that is given twice,
/// and for several where nothing is measured by them.
std::vector<AttackConfig> each_epsilon(const AttackConfig& config);

/// The trials of a resolved config: images x seeds (universal: seeds), with ids that differ from each other.
/// Throws Error when two of them are the same.
std::vector<TrialPlan> plan_trials(const AttackConfig& config);
/// The trials of a config that is to be resolved (config.h): radii x images x seeds, in this order.
std::vector<TrialPlan> plan_trials(const AttackConfig& config, const std::set<std::string>& given);

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
/// Relative file names and model folders of the file count from its own folder where they exist there, else
/// from the working directory. Throws Error that names the file and the key: for an empty list, two trials
/// that are the same, a grid of more than 100000 trials.
/// model: in place of what the file says; "" = what it says.
std::vector<TrialPlan> read_experiment(const std::filesystem::path& file, const std::string& model = {});

/// The same from the file's content; `where` names it in messages, `folder` is its folder.
std::vector<TrialPlan> plans_of_experiment(const nlohmann::json& experiment, const std::string& where,
                                           const std::filesystem::path& folder = {},
                                           const std::string& model = {});

/// Part i of n of the trials ("2/4": the 2nd, 6th, 10th ...), for processes or machines that share an
/// experiment. Each part has a run folder of its own; `hijack report` reads them together. Throws Error for
/// anything but 1 <= i <= n, and for a part without trials.
std::vector<TrialPlan> take_shard(const std::vector<TrialPlan>& plans, const std::string& shard);

/// A plan of {"id", "config"}. Throws Error that names `where`.
TrialPlan plan_from_json(const nlohmann::json& json, const std::string& where);

}  // namespace hijack
