#pragma once
#include <string>
#include <vector>

#include "src/experiment/plan/evaluate_config.h"
#include "src/experiment/run/runner.h"

namespace hijack {

/// Asks the model of every trial again, or the victim behind an API that the config names: without a defense,
/// behind each defense alone, and, if wished, behind all of them. The saved adversarial image and the clean
/// one on the held-out contexts, the clean image with the text-side control (where a victim is asked, which
/// gives no gradients to search it by, random noise instead), benign utility questions, and, if wished, what
/// the images survive and a test set's cases about their own pictures. Thresholds are fitted on the contexts
/// file's calibration split, which nothing else uses. Appends reply rows, and the calibrations and suffixes
/// to the manifest. With defense.adaptive the attack of each trial is made again through each stack (same
/// settings, saved, reloaded, judged behind the stack: a trial of its own, "ID-vs-jpeg-quality-75", condition
/// "adaptive"), and so is the text-side control ("text_adaptive"). Where a stack gives such an attack nothing
/// to work on, it is the static one. What was asked before of the same model, behind the same defenses with
/// the same calibration, is not asked again; with other settings it is (question.h). True when done, false
/// when stopped; the same call then goes on. moved_models: folders of models that are no longer where they
/// were. Throws Error for a run without trials, unknown defenses, a contexts file without calibration split
/// when a defense needs one, and for any file of the run that is not what it was: inputs, weights, images,
/// thresholds. Throws BudgetSpent where the budget of calls is spent; what was answered is kept.
bool evaluate_run(const std::filesystem::path& folder, const EvaluateConfig& config, const RunHooks& hooks,
                  const ModelSource& models, const std::vector<std::string>& moved_models = {});

}  // namespace hijack
