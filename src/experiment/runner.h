#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "src/experiment/plan.h"
#include "src/experiment/run_folder.h"
#include "src/experiment/trial.h"

namespace hijack {

/// Gives the model for a plan; the default loads a folder and keeps the last one.
using ModelSource = std::function<std::shared_ptr<const VisionLanguageModel>(const AttackConfig&)>;
ModelSource folder_models();

/// Begins a run: checks the folder and every image, context file and model folder before anything is written.
RunFolder begin_run(const std::filesystem::path& out, const std::string& command,
                    const std::vector<TrialPlan>& plans);

/// Does every trial of the folder's manifest that has no row yet. True when all are done, false when stopped.
/// Same plans, machine and thread count: same bytes in images/ and, times aside, in the rows, interrupted or
/// not.
bool run_trials(RunFolder& folder, const RunHooks& hooks, const ModelSource& models = folder_models());

/// The setup of one plan: reads its contexts, makes its behavior.
TrialSetup set_up(const TrialPlan& plan, std::shared_ptr<const VisionLanguageModel> model);

}  // namespace hijack
