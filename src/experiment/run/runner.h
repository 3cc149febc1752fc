#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "src/experiment/parallel/worker_group.h"
#include "src/experiment/plan/plan.h"
#include "src/experiment/record/run_folder.h"
#include "src/experiment/run/defense_setup.h"
#include "src/experiment/run/trial.h"

namespace hijack {

/// Gives the model for a plan; the default loads a folder (on the machine that is given) and keeps the last
/// one, or gives the victim behind an API that the plan names (victim.h).
using ModelSource = std::function<std::shared_ptr<const VisionLanguageModel>(const AttackConfig&)>;
ModelSource folder_models(const Machine& machine = {});

/// The plans with their identity. Throws Error when two of them are the same trial.
std::vector<TrialPlan> identified(std::vector<TrialPlan> plans);

/// Begins a run: checks the folder, every image and context file, loads every model and fits every constraint
/// to its image size, all before anything is written.
RunFolder begin_run(const std::filesystem::path& out, const std::string& command,
                    const std::vector<TrialPlan>& plans, const ModelSource& models);

/// Does every trial of the folder's manifest that has no row yet. True when all are done, false when stopped
/// or the budget of calls to a victim is spent.
/// Same plans, machine and thread count: same bytes in images/ and, times aside, in the rows, interrupted or
/// not.
/// When an exception ends the work before the first checkpoint or row (a target longer than the context
/// window, a weight that is no number), what begin_run made is taken away again. With a group (and a folder
/// opened for this worker) the processes share the trials; true when all of them are done, by whomever.
bool run_trials(RunFolder& folder, const RunHooks& hooks, const ModelSource& models,
                WorkerGroup* group = nullptr);

/// The setup of one plan: reads its contexts, makes its behavior and its defenses.
TrialSetup set_up(const TrialPlan& plan, std::shared_ptr<const VisionLanguageModel> model,
                  DefenseMaker& defenses);

}  // namespace hijack
