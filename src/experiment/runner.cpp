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

namespace {

/// Puts the trial's defenses in front of the model, and tells the behavior about the prompts that they make.
void add_defenses(TrialSetup& setup, Behavior& behavior, const Tensor& origin, DefenseMaker& maker) {
  const AttackConfig& config = setup.plan.config;
  setup.defenses =
      maker.make(config.defense.defenses, {setup.model, config, setup.contexts.calibration, origin,
                                           setup.reply_tokens, config.defense.false_positive_rate});
  const DefenseStack known = config.defense.adaptive ? setup.defenses : DefenseStack{};
  setup.seen_train = stack_queries(known, setup.contexts.train);
  setup.seen_test = stack_queries(known, setup.contexts.test);
  if (known.empty()) return;
  for (const auto* seen : {&setup.seen_train, &setup.seen_test})
    behavior.prepare(*setup.model, origin, *seen, config.max_new_tokens);
}

}  // namespace

TrialSetup set_up(const TrialPlan& plan, std::shared_ptr<const VisionLanguageModel> model,
                  DefenseMaker& defenses) {
  const AttackConfig& config = plan.config;
  TrialSetup setup{
      plan,
      std::move(model),
      {},
      {},
      take(read_contexts(config.contexts), {config.train, config.validation, config.test}, config.contexts),
      config.max_new_tokens,
      {},
      {},
      {}};
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
  add_defenses(setup, *behavior, origin, defenses);
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

/// One trial to its row; false when stopped.
bool finish_trial(const TrialPlan& plan, RunFolder& folder, const RunHooks& hooks, const ModelSource& models,
                  DefenseMaker& defenses) {
  if (folder.finished().contains(plan.id)) return true;
  if (plan.config.threads > 0) at::set_num_threads(static_cast<int>(plan.config.threads));
  const auto result = run_trial(set_up(plan, models(plan.config), defenses), folder, hooks);
  if (!result) return false;
  folder.add_trial(result->row, result->replies);
  if (hooks.on_trial) hooks.on_trial(result->row);
  return true;
}

}  // namespace

bool run_trials(RunFolder& folder, const RunHooks& hooks, const ModelSource& models, WorkerGroup* group) {
  const auto manifest = folder.manifest();
  const auto plans = plans_from_json(manifest.value("plans", nlohmann::json()), "manifest.json");
  DefenseMaker defenses;
  if (group) {
    while (const auto next = group->next(plans.size(), hooks.stop)) {
      if (!finish_trial(plans[*next], folder, hooks, models, defenses)) return false;
      group->done(*next);
    }
    return !hooks.stop.stop_requested();
  }
  try {
    for (const TrialPlan& plan : plans)
      if (hooks.stop.stop_requested() || !finish_trial(plan, folder, hooks, models, defenses)) return false;
  } catch (const Error&) {
    folder.discard_if_untouched();
    throw;
  }
  return true;
}

}  // namespace hijack
