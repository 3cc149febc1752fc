#include "src/experiment/run/trial_objectives.h"

#include "attacks/objectives/make_objective.h"
#include "attacks/wrappers/augmentation.h"
#include "attacks/wrappers/cropa.h"
#include "attacks/wrappers/rgf.h"
#include "attacks/wrappers/universal.h"
#include "defenses/kinds.h"
#include "src/experiment/run/defended_objective.h"
#include "src/experiment/run/defense_setup.h"

namespace hijack {

namespace {

/// Asks as validation does, so that what was asked by one is known to the other.
AskReplies replies_of(const std::shared_ptr<const VisionLanguageModel>& model,
                      const ReplySettings& settings) {
  return [respond = bare_model(model, settings)](const Tensor& image, const std::vector<Query>& queries) {
    std::vector<Submission> submissions;
    for (const Query& query : queries) submissions.push_back({image, query});
    std::vector<Generated> replies;
    for (Reply& reply : pass_on(submissions, respond)) replies.push_back({std::move(reply.text), reply.cut});
    return replies;
  };
}

}  // namespace

AskedContexts TrialObjectives::asked(const std::vector<Context>& contexts) const {
  const AttackConfig& config = setup_.plan.config;
  if (!config.defense.adaptive) return contexts;
  return {contexts, stack_queries(setup_.defenses.defenses, contexts)};
}

TrialObjectives::Models TrialObjectives::models() const {
  const bool known = setup_.plan.config.defense.adaptive;
  Models models = {known ? stack_model(setup_.defenses.defenses, setup_.model) : setup_.model};
  models.insert(models.end(), setup_.ensemble.begin(), setup_.ensemble.end());
  return models;
}

std::unique_ptr<Objective> TrialObjectives::of(Models models, const Prompts& prompts,
                                               const AskedContexts& contexts, int64_t batch, bool fixed_draws,
                                               bool in_turns, std::shared_ptr<Ranks> ranks) const {
  const AttackConfig& config = setup_.plan.config;
  ObjectiveInputs inputs{std::move(models), prompts.behavior,    contexts, space_.photos[0], batch,
                         config.seeds[0],   setup_.reply_tokens, in_turns};
  for (const NamedEncoder& one : setup_.surrogates) inputs.encoders.push_back(one.encoder);
  inputs.surrogate = config.surrogate;
  inputs.photos = space_.photos;
  if (setup_.score == "success") inputs.replies = replies_of(inputs.models.front(), setup_.replies());
  inputs.ranks = std::move(ranks);
  auto objective = make_objective(config.objective, inputs);
  if (!config.defense.adaptive) return objective;
  return std::make_unique<DefendedObjective>(std::move(objective), setup_.defenses.defenses, config.defense,
                                             config.seeds[0], fixed_draws);
}

std::unique_ptr<Objective> TrialObjectives::over(const Prompts& prompts, const AskedContexts& contexts,
                                                 int64_t batch, bool fixed_draws) const {
  return of(models(), prompts, contexts, batch, fixed_draws, /*in_turns=*/false, {});
}

namespace {

/// Each model inside a decorator.
template <class Decorator, class... Given>
std::vector<std::shared_ptr<Decorator>> decorate(
    std::vector<std::shared_ptr<const VisionLanguageModel>>& models, const Given&... given) {
  std::vector<std::shared_ptr<Decorator>> decorated;
  for (auto& model : models) {
    decorated.push_back(std::make_shared<Decorator>(model, given...));
    model = decorated.back();
  }
  return decorated;
}

}  // namespace

std::unique_ptr<Objective> TrialObjectives::for_optimizer(const Prompts& prompts, bool fixed_draws) const {
  const AttackConfig& config = setup_.plan.config;
  const uint64_t seed = config.seeds[0];
  Models asked = models();
  std::vector<std::shared_ptr<TemplatedModel>> templated;
  std::vector<std::shared_ptr<ShiftedModel>> shifted;
  if (!config.augmentation.templates.empty())
    templated = decorate<TemplatedModel>(asked, read_templates(config.augmentation.templates), seed);
  if (config.cropa.radius > 0) shifted = decorate<ShiftedModel>(asked, prompts.seen_train.asked);
  std::unique_ptr<Objective> objective = of(std::move(asked), prompts, prompts.seen_train, config.batch,
                                            fixed_draws, config.optimizer.name == "cwa", ranks_);
  if (config.augmentation.any())
    objective = std::make_unique<Augmented>(std::move(objective), config.augmentation, seed, templated);
  if (const MovingPatch* moving = space_.moving())
    objective = std::make_unique<MovingPatchObjective>(std::move(objective), *moving, space_.origin, seed);
  if (config.universal)
    objective = std::make_unique<UniversalObjective>(std::move(objective), space_.constraint, space_.origin,
                                                     space_.photos, config.photo_batch, seed);
  if (config.queries > 0)
    objective = std::make_unique<Rgf>(std::move(objective), config.queries, config.query_smoothing, seed);
  if (!shifted.empty()) objective = std::make_unique<Cropa>(std::move(objective), shifted, config.cropa);
  return objective;
}

}  // namespace hijack
