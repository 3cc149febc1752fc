#include "src/experiment/runner.h"

#include <ATen/Parallel.h>

#include "models/load_model.h"
#include "models/recompute.h"
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
  TrialSetup setup{
      plan,
      std::move(model),
      {},
      {},
      take(read_contexts(config.contexts), {config.train, config.validation, config.test}, config.contexts),
      config.max_new_tokens};
  for (const std::string& folder : config.ensemble)
    setup.ensemble.push_back(load_model(folder, {config.device, config.dtype}));
  std::shared_ptr<Behavior> behavior = make_behavior(config.behavior);
  const Tensor origin = setup.model->to_input_space(load_image(config.images[0])).to(setup.model->device());
  for (const auto* split : {&setup.contexts.train, &setup.contexts.validation, &setup.contexts.test}) {
    behavior->prepare(*setup.model, origin, *split, config.max_new_tokens);
    for (const Context& context : *split) {
      const TokenIds target = setup.model->target_ids(behavior->target_for(context));
      setup.reply_tokens = std::max(setup.reply_tokens, static_cast<int64_t>(target.size()) + 4);
    }
  }
  setup.behavior = std::move(behavior);
  return setup;
}

RunFolder begin_run(const std::filesystem::path& out, const std::string& command,
                    const std::vector<TrialPlan>& plans, const ModelSource& models) {
  check_new_run(out);
  std::set<std::string> images;
  std::set<std::string> contexts;
  for (const TrialPlan& plan : plans) {
    const AttackConfig& config = plan.config;
    if (images.insert(config.images[0]).second) load_image(config.images[0]);
    if (contexts.insert(config.contexts).second)
      take(read_contexts(config.contexts), {config.train, config.validation, config.test}, config.contexts);
  }
  for (const TrialPlan& plan : plans) {
    const ImageSpec size = models(plan.config)->image_spec();
    make_constraint(plan.config.constraint, size.height, size.width);
  }
  return RunFolder::create(out, make_manifest(command, plans));
}

namespace {

std::string gigabytes(int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

/// Says once when the first steps were short of memory.
RunHooks with_memory_note(const RunHooks& hooks) {
  RunHooks noted = hooks;
  noted.on_step = [hooks, said = std::make_shared<bool>(false)](const TrialProgress& now) {
    if (const auto reason = recompute_reason(); reason && !*said && hooks.on_note) {
      *said = true;
      hooks.on_note("Activations are computed again in the backward pass: a pass would keep " +
                    gigabytes(reason->needed) + ", and " + gigabytes(reason->available) +
                    " of memory were free (--recompute off keeps them).");
    }
    if (hooks.on_step) hooks.on_step(now);
  };
  return noted;
}

}  // namespace

bool run_trials(RunFolder& folder, const RunHooks& hooks, const ModelSource& models) {
  const auto manifest = folder.manifest();
  const auto plans = plans_from_json(manifest.value("plans", nlohmann::json()), "manifest.json");
  for (const TrialPlan& plan : plans) {
    if (folder.finished().contains(plan.id)) continue;
    if (hooks.stop.stop_requested()) return false;
    if (plan.config.threads > 0) at::set_num_threads(static_cast<int>(plan.config.threads));
    std::optional<TrialResult> result;
    try {
      result = run_trial(set_up(plan, models(plan.config)), folder, with_memory_note(hooks));
    } catch (const Error&) {
      folder.discard_if_untouched();
      throw;
    }
    if (!result) return false;
    folder.add_trial(result->row, result->replies);
    if (hooks.on_trial) hooks.on_trial(result->row);
  }
  return true;
}

}  // namespace hijack
