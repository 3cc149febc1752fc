#pragma once
#include <filesystem>
#include <string>
#include <vector>

#include "models/load_model.h"
#include "src/experiment/plan/endpoint_config.h"
#include "src/experiment/run/trial.h"

namespace hijack {

/// What `hijack judge` does with a finished run.
struct JudgeConfig {
  std::vector<std::string> judges;
  std::string rubric = "harmbench";
  std::string behavior;      ///< what rubrics call the behavior; "" = from the trial's behavior and target
  AskingConfig asking = {};  ///< of judges behind an API
};

/// Judges the held-out replies of a run again, as they are stored: the victim is not asked. One row for each
/// reply and judge goes into judgments.jsonl, flushed; what was judged before by the same judge (same rubric,
/// same weights) is not judged again. A reply that a defense rejected is no success, whoever judges. The
/// judge of a model is named "model:FOLDER/RUBRIC", that behind an API "endpoint:URL#MODEL/RUBRIC"; its calls
/// count in the run's calls.jsonl. True when done, false when stopped. Throws Error for
/// unknown judges and rubrics, and as load_model, before anything is written.
bool judge_run(const std::filesystem::path& folder, const JudgeConfig& config, const LoadOptions& options,
               const RunHooks& hooks);

}  // namespace hijack
