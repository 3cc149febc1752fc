#include "src/experiment/run/runner.h"

#include "attacks/objectives/behavior_matching.h"
#include "attacks/objectives/make_objective.h"
#include "models/load_model.h"
#include "models/network/activation_checkpointing.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/experiment/parallel/ranked_steps.h"
#include "src/experiment/plan/methods.h"
#include "src/experiment/record/manifest.h"
#include "src/experiment/run/attack_space.h"
#include "src/experiment/run/explain.h"
#include "src/experiment/run/prepared_behavior.h"
#include "src/experiment/run/query_score.h"
#include "src/experiment/run/trial_group.h"
#include "src/experiment/run/victim.h"

namespace hijack {

using nlohmann::json;

ModelSource folder_models(const Machine& machine) {
  auto kept = std::make_shared<std::pair<std::string, std::shared_ptr<const VisionLanguageModel>>>();
  return [kept, machine, victims = named_victims(machine)](AttackConfig config) {
    machine.put_into(config);
    if (!config.victim.empty()) return victims(config);
    const std::string key = model_key(config);
    if (!kept->second || kept->first != key) {
      kept->second.reset();  // frees the memory of the last one first
      *kept = {key, load_model(config.model, load_options(config, config.model))};
    }
    return kept->second;
  };
}

namespace {

ContextSet contexts_of(const AttackConfig& config) {
  if (asks_nobody(config)) return {};
  return take(read_contexts(config.contexts), {config.train, config.validation, config.test},
              config.contexts);
}

/// Puts the trial's defenses in front of the model, and has objectives see what they make of the prompts.
void add_defenses(TrialSetup& setup, DefenseMaker& maker) {
  const AttackConfig& config = setup.plan.config;
  setup.defenses =
      make_stack(maker, config.defense.defenses,
                 {setup.model, config, setup.contexts.calibration, attacked_photos(*setup.model, config),
                  setup.reply_tokens, config.defense.false_positive_rate});
  const DefenseStack known = config.defense.adaptive ? setup.defenses.defenses : DefenseStack{};
  setup.seen_train = {setup.contexts.train, stack_queries(known, setup.contexts.train)};
  setup.seen_test = {setup.contexts.test, stack_queries(known, setup.contexts.test)};
}

/// Loads the models that the images are shown to, and prepares the behavior with all.
void prepare(TrialSetup& setup, OtherModels& others) {
  const AttackConfig& config = setup.plan.config;
  if (asks_nobody(config)) {
    setup.behavior = behavior_for(config, {});
    return;
  }
  const Tensor origin =
      config.images.empty() ? Tensor() : in_attack_space(*setup.model, config, config.images[0]);
  std::vector<std::shared_ptr<const VisionLanguageModel>> models = {setup.model};
  for (const std::string& folder : config.transfer) {
    models.push_back(others.of(folder, config));
    setup.transfer.push_back({setup.plan.model_name(folder), folder, models.back(), {}});
  }
  const PreparedBehaviors prepared = prepare_behaviors(config, setup.contexts, models, origin);
  setup.reply_tokens = prepared.reply_tokens;
  setup.behavior = prepared.of.front();
  for (size_t i = 0; i < setup.transfer.size(); ++i) setup.transfer[i].behavior = prepared.of[i + 1];
}

/// The model's folder is not loaded twice.
std::vector<NamedEncoder> encoders_of(const TrialSetup& setup, const std::vector<std::string>& folders,
                                      OtherModels& others) {
  const AttackConfig& config = setup.plan.config;
  std::vector<NamedEncoder> encoders;
  for (const std::string& folder : folders)
    encoders.push_back({setup.plan.model_name(folder),
                        encoder_of(folder == config.model ? setup.model : others.of(folder, config))});
  return encoders;
}

}  // namespace

TrialSetup set_up(const TrialPlan& plan, std::shared_ptr<const VisionLanguageModel> model,
                  DefenseMaker& defenses) {
  const AttackConfig& config = plan.config;
  if (config.images.empty() == model->takes_images())
    throw Error("The trial " + plan.id +
                (config.images.empty() ? " has no image, but its model takes one."
                                       : " has an image, but its model takes none."));
  TrialSetup setup{plan, std::move(model), {}, {}, contexts_of(config), {}, {}, {}, {}};
  OtherModels& others = defenses.others();
  others.keep(config);
  for (const std::string& folder : config.ensemble) setup.ensemble.push_back(others.of(folder, config));
  setup.surrogates = encoders_of(setup, config.surrogate.folders, others);
  setup.transfer_encoders = encoders_of(setup, config.surrogate.held_out, others);
  prepare(setup, others);
  if (!asks_nobody(config)) add_defenses(setup, defenses);
  return setup;
}

namespace {

/// Every encoder is one, and those that are optimized on read the text, if it is one.
void check_encoders(const AttackConfig& config, const std::shared_ptr<const VisionLanguageModel>& model,
                    OtherModels& others) {
  others.keep(config);
  for (const auto* folders : {&config.surrogate.folders, &config.surrogate.held_out})
    for (const std::string& folder : *folders) {
      const auto encoder = encoder_of(folder == config.model ? model : others.of(folder, config));
      if (folders == &config.surrogate.folders && !config.objective.feature_text.empty())
        encoder->text_embedding(config.objective.feature_text);
    }
}

/// What only a model can tell: whether its tokenizer has the targets, and its decoder the layer of features.
void check_goal(const AttackConfig& config, const std::shared_ptr<const VisionLanguageModel>& model,
                OtherModels& others) {
  check_encoders(config, model, others);
  if (asks_nobody(config)) return;
  ContextSet contexts = contexts_of(config);
  const std::shared_ptr<const Behavior> behavior = behavior_for(config, contexts);
  if (behavior->default_objective() == "behavior")  // others ask the model for their targets
    for (const Context& context : contexts.train) all_target_tokens(*model, *behavior, context);
  check_reply_length(config, *behavior, contexts, *model);
  const auto terms = parse_objective(config.objective, *behavior);
  if (std::none_of(terms.begin(), terms.end(),
                   [](const ObjectiveTerm& term) { return term.name.starts_with("features"); }))
    return;
  ObjectiveConfig features = config.objective;
  features.formula = "features";
  make_objective(features, {.models = {model},
                            .behavior = behavior,
                            .contexts = std::move(contexts.train),
                            .origin = in_attack_space(*model, config, config.images[0]).to(model->device())});
}

}  // namespace

std::vector<TrialPlan> identified(std::vector<TrialPlan> plans) {
  std::map<std::string, std::string> ids;  // by digest
  for (TrialPlan& plan : plans) {
    plan.identity = identity_of(plan.config);
    const auto [found, fresh] = ids.emplace(plan.identity.trial_digest, plan.id);
    if (!fresh)
      throw Error("The trials " + found->second + " and " + plan.id +
                  " are the same (equal settings, seed and photo content): each counts once; take one of "
                  "them out.");
  }
  return plans;
}

RunFolder begin_run(const std::filesystem::path& out, const std::string& command,
                    const std::vector<TrialPlan>& plans, const ModelSource& models) {
  check_new_run(out);
  std::set<std::string> images;
  std::set<std::string> contexts;
  for (const TrialPlan& plan : plans) {
    const AttackConfig& config = plan.config;
    for (const auto* files : {&config.images, &config.held_out_images})
      for (const std::string& file : *files)
        if (images.insert(file).second) load_image(file);
    std::vector<std::string> pictures = config.surrogate.auxiliary_images;
    pictures.push_back(config.objective.feature_image);
    for (const std::string& picture : pictures)
      if (!picture.empty() && images.insert(picture).second) load_image(picture);
    const std::string& templates = config.augmentation.templates;
    if (!templates.empty()) read_templates(templates);
    if (contexts.insert(config.contexts + "\n" + config.behavior.name).second)
      behavior_for(config, contexts_of(config));
  }
  std::set<std::string> checked;
  OtherModels others;  // encoders that goals share are loaded once
  for (const TrialPlan& plan : plans) {
    json key = json::array({plan.config.model, plan.config.images, plan.config.space, plan.config.universal});
    AttackConfig config = plan.config;
    key.push_back(fields_to_json(fields_of(config.constraint)));
    if (checked.insert(key.dump()).second) check_photos(*models(plan.config), plan.config);
    const json goal = json::array(
        {plan.config.model, plan.config.contexts, fields_to_json(fields_of(config.behavior)),
         fields_to_json(fields_of(config.objective)), fields_to_json(fields_of(config.surrogate))});
    if (checked.insert(goal.dump()).second) check_goal(plan.config, models(plan.config), others);
  }
  return RunFolder::create(out, command, identified(plans));
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
    if (const auto reason = checkpointing_reason(); reason && !*said && hooks.on_note) {
      *said = true;
      hooks.on_note("Activations are computed again in the backward pass: a pass would keep " +
                    gigabytes(reason->needed) + ", and " + gigabytes(reason->available) +
                    " of memory were free (--activation-checkpointing off keeps them).");
    }
    if (hooks.on_step) hooks.on_step(now);
  };
  return noted;
}

/// Steps of the open trials behind plans[place].
int64_t steps_after(const std::vector<TrialPlan>& plans, size_t place, const RunFolder& folder) {
  int64_t steps = 0;
  for (size_t i = place + 1; i < plans.size(); ++i)
    if (!folder.done(plans[i])) steps += planned_steps(plans[i].config);
  return steps;
}

/// Progress that says which of the run's trials it is.
RunHooks in_place(const RunHooks& hooks, const std::vector<TrialPlan>& plans, size_t place, int64_t after) {
  RunHooks placed = hooks;
  if (hooks.on_step)
    placed.on_step = [on_step = hooks.on_step, number = static_cast<int64_t>(place) + 1,
                      trials = static_cast<int64_t>(plans.size()), after](TrialProgress now) {
      now.number = number;
      now.trials = trials;
      now.steps_after = after;
      on_step(now);
    };
  return placed;
}

/// Work on trials with this config; false when stopped.
bool attempt(const AttackConfig& config, const RunHooks& hooks, const std::function<bool()>& work) {
  try {
    return work();
  } catch (const AskingStopped&) {
    return false;
  } catch (const BudgetSpent& spent) {
    if (hooks.on_note) hooks.on_note(spent.what());
    return false;
  } catch (const NotFinite& found) {
    explain(found, config);
  }
}

/// One trial to its row; false when stopped.
bool finish_trial(const TrialPlan& plan, RunFolder& folder, const RunHooks& hooks, const ModelSource& models,
                  DefenseMaker& defenses) {
  if (folder.done(plan)) return true;
  use_threads(plan.config);
  return attempt(plan.config, hooks, [&] {
    TrialSetup setup = set_up(plan, models(plan.config), defenses);
    settle_query_score(setup, folder, hooks);
    const auto result = run_trial(setup, folder, with_memory_note(hooks));
    const bool stopped = !result || (hooks.machine.ranks && hooks.stop.stop_requested());
    if (result && writes_files(hooks.machine.ranks)) write_rows(*result, folder, hooks);
    return on_all_ranks(hooks.machine.ranks.get(), !stopped);
  });
}

/// A run's trials in their order. Which of them go side by side does not depend on how many are done.
class Trials {
 public:
  Trials(RunFolder& folder, const std::vector<TrialPlan>& plans, const RunHooks& hooks,
         const ModelSource& models)
      : folder_(folder), plans_(plans), hooks_(hooks), models_(models) {}

  /// False when stopped.
  bool run() {
    for (size_t i = 0; i < plans_.size();) {
      const size_t end = end_of_alike(plans_, i);
      const AttackConfig& config = plans_[i].config;
      const bool several = !hooks_.machine.ranks && open(i, end).size() > 1;
      const size_t most = several ? trials_at_once(config, *models_(config)) : 1;
      for (; i < end; i = std::min(end, i + most))
        if (!finish(i, std::min(end, i + most))) return false;
    }
    return true;
  }

 private:
  std::vector<const TrialPlan*> open(size_t begin, size_t end) const {
    std::vector<const TrialPlan*> open;
    for (size_t i = begin; i < end; ++i)
      if (!folder_.done(plans_[i])) open.push_back(&plans_[i]);
    return open;
  }

  bool finish(size_t begin, size_t end) {
    const auto plans = open(begin, end);
    if (plans.empty()) return true;
    if (hooks_.stop.stop_requested()) return false;
    const auto place = static_cast<size_t>(plans.front() - plans_.data());
    const size_t last = plans.size() > 1 ? end - 1 : place;
    const RunHooks placed = in_place(hooks_, plans_, place, steps_after(plans_, last, folder_));
    if (plans.size() == 1) return finish_trial(*plans[0], folder_, placed, models_, defenses_);
    use_threads(plans[0]->config);
    return attempt(plans[0]->config, hooks_, [&] {
      return finish_together(plans, folder_, with_memory_note(placed), models_, defenses_);
    });
  }

  RunFolder& folder_;
  const std::vector<TrialPlan>& plans_;
  const RunHooks& hooks_;
  const ModelSource& models_;
  DefenseMaker defenses_{hooks_.on_note};
};

}  // namespace

bool run_trials(RunFolder& folder, const RunHooks& hooks, const ModelSource& models, WorkerGroup* group) {
  std::vector<TrialPlan> plans = folder.plans();
  for (TrialPlan& plan : plans) hooks.machine.put_into(plan.config);
  if (group) {
    DefenseMaker defenses(hooks.on_note);
    while (const auto next = group->next(plans.size(), hooks.stop)) {
      if (!finish_trial(plans[*next], folder, in_place(hooks, plans, *next, -1), models, defenses))
        return false;
      group->done(*next);
    }
    return !hooks.stop.stop_requested();
  }
  try {
    return Trials(folder, plans, hooks, models).run();
  } catch (...) {
    folder.discard_if_untouched();
    throw;
  }
}

}  // namespace hijack
