#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "src/experiment/plan/probe_questions.h"
#include "src/experiment/run/trial.h"

// `hijack probe`: what else an image has taught a model. The image was made to bring some replies about; the
// questions are others: the reverse of what it says, what would follow from it, what it should have left
// alone.

namespace hijack {

/// Asks the bare model of a finished run the questions over each trial's saved image and its noise of equal
/// size, and over each photo as it is, with and without the instruction. One row for each goes into
/// probes.jsonl, flushed; what was asked before is not asked again. The likelihood of an answer is that of
/// its tokens as the whole reply's beginning (Berglund et al. 2023, arXiv:2309.12288, experiment 1: the right
/// name against random ones). True when done, false when stopped. Throws Error as read_probe_questions and
/// read_run_material, before anything is written. moved_models: folders of models that are no longer where
/// they were.
bool probe_run(const std::filesystem::path& folder, const ProbeConfig& config, const RunHooks& hooks,
               const std::vector<std::string>& moved_models = {});

}  // namespace hijack
