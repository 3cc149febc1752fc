#include "src/experiment/runner.h"

#include <ATen/Parallel.h>

#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/experiment/manifest.h"

namespace hijack {

ModelSource folder_models() {
  auto kept = std::make_shared<std::pair<std::string, std::shared_ptr<const VisionLanguageModel>>>();
  return [kept](const AttackConfig& config) {
    const std::string key = config.model + "\n" + config.device + "\n" + config.dtype;
    if (!kept->second || kept->first != key) {
      kept->second.reset();  // frees the memory of the last one first
      *kept = {key, load_model(config.model, {config.device, config.dtype})};
    }
    return kept->second;
  };
}

TrialSetup set_up(const TrialPlan& plan, std::shared_ptr<const VisionLanguageModel> model) {
  const AttackConfig& config = plan.config;
  ContextSet contexts =
      take(read_contexts(config.contexts), {config.train, config.validation, config.test}, config.contexts);
  return {plan, std::move(model), make_behavior(config.behavior), std::move(contexts)};
}

RunFolder begin_run(const std::filesystem::path& out, const std::string& command,
                    const std::vector<TrialPlan>& plans) {
  check_new_run(out);
  std::set<std::string> images;
  std::set<std::string> contexts;
  for (const TrialPlan& plan : plans) {
    if (images.insert(plan.config.images[0]).second) load_image(plan.config.images[0]);
    if (contexts.insert(plan.config.contexts).second) set_up(plan, nullptr);
  }
  return RunFolder::create(out, make_manifest(command, plans));
}

bool run_trials(RunFolder& folder, const RunHooks& hooks, const ModelSource& models) {
  const auto manifest = folder.manifest();
  const auto plans = plans_from_json(manifest.value("plans", nlohmann::json()), "manifest.json");
  for (const TrialPlan& plan : plans) {
    if (folder.finished().contains(plan.id)) continue;
    if (hooks.stop.stop_requested()) return false;
    if (plan.config.threads > 0) at::set_num_threads(static_cast<int>(plan.config.threads));
    const TrialSetup setup = set_up(plan, models(plan.config));
    const std::optional<TrialResult> result = run_trial(setup, folder, hooks);
    if (!result) return false;
    folder.add_trial(result->row, result->replies);
    if (hooks.on_trial) hooks.on_trial(result->row);
  }
  return true;
}

}  // namespace hijack
