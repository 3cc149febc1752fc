#include "src/experiment/run/trial_parts.h"

#include "attacks/objectives/make_objective.h"
#include "attacks/text/suffix.h"
#include "attacks/text/suffixed.h"
#include "attacks/wrappers/augmentation.h"
#include "attacks/wrappers/cropa.h"
#include "attacks/wrappers/rgf.h"
#include "attacks/wrappers/universal.h"
#include "defenses/kinds.h"
#include "models/not_finite.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/experiment/run/defended_objective.h"
#include "src/experiment/run/defense_setup.h"
#include "src/experiment/run/shown_images.h"
#include "src/experiment/run/submitted_image.h"

namespace hijack {
namespace {

std::vector<Tensor> read_photos(const VisionLanguageModel& model, const AttackConfig& config,
                                const std::vector<std::string>& files) {
  std::vector<Tensor> photos;
  for (const std::string& file : files)
    photos.push_back(in_attack_space(model, config, file).to(model.device()));
  return photos;
}

void check_sizes(const std::vector<Tensor>& photos, const Tensor& first) {
  for (const Tensor& photo : photos)
    if (photo.sizes() != first.sizes())
      throw Error("a universal image needs photos of one size, but one has " + std::to_string(photo.size(3)) +
                  " x " + std::to_string(photo.size(2)) + " pixels and the first " +
                  std::to_string(first.size(3)) + " x " + std::to_string(first.size(2)) +
                  ": use --space input, or scale them.");
}

}  // namespace

Tensor in_attack_space(const VisionLanguageModel& model, const AttackConfig& config,
                       const std::string& file) {
  return as_submitted(model, config.space, load_image(file));
}

std::vector<Tensor> attacked_photos(const VisionLanguageModel& model, const AttackConfig& config) {
  std::vector<Tensor> photos;
  for (const auto* files : {&config.images, &config.held_out_images})
    for (const std::string& file : *files) photos.push_back(in_attack_space(model, config, file));
  return photos;
}

void check_photos(const VisionLanguageModel& model, const AttackConfig& config) {
  const auto photos = read_photos(model, config, config.images);
  make_constraint(config.constraint, photos[0].size(2), photos[0].size(3));
  if (!config.universal) return;
  check_sizes(photos, photos[0]);
  check_sizes(read_photos(model, config, config.held_out_images), photos[0]);
}

void explain(const NotFinite& found, const AttackConfig& config) {
  std::vector<std::filesystem::path> folders = {config.model};
  for (const auto* others : {&config.ensemble, &config.transfer})
    folders.insert(folders.end(), others->begin(), others->end());
  explain(found, folders, {config.device, config.dtype, config.views});
}

TrialParts::TrialParts(const TrialSetup& setup_in, const RunFolder& folder_in, const RunHooks& hooks_in)
    : setup(setup_in), config(setup.plan.config), model(*setup.model), folder(folder_in), hooks(hooks_in) {
  photos = read_photos(model, config, config.images);
  check_sizes(photos, photos[0]);
  if (config.universal) held_out = read_photos(model, config, config.held_out_images);
  check_sizes(held_out, photos[0]);
  constraint = make_constraint(config.constraint, photos[0].size(2), photos[0].size(3));
  origin = config.universal ? carrier_for(constraint, photos[0]) : photos[0];
  moving = std::get_if<MovingPatch>(&constraint);
  if (moving) {
    place_in_attack = {moving->top, moving->left};
    place_in_file = hijack::place_in_file(*moving, origin, seed());
  }
  system = protect(setup.defenses.defenses, bare_model(setup.model, setup.reply_tokens));
}

void TrialParts::note(const std::string& text) const {
  if (hooks.on_note) hooks.on_note(id() + ": " + text);
}

void TrialParts::progress(int64_t step, int64_t steps, double loss, double success) const {
  if (hooks.on_step)
    hooks.on_step({.trial = id(), .step = step, .steps = steps, .loss = loss, .success = success});
}

std::string TrialParts::described() const {
  std::string text = describe(constraint);
  constexpr std::string_view kInput = "(model input space)";
  if (config.space == "photo" && text.ends_with(kInput))
    text.replace(text.size() - kInput.size(), kInput.size(), "(photo space)");
  if (config.universal) text += ", universal over " + std::to_string(photos.size()) + " photos";
  return text;
}

Prompts TrialParts::prompts_with(const std::string& suffix) const {
  Prompts prompts{std::make_shared<SuffixedBehavior>(setup.behavior, suffix), setup.contexts, {}, {}};
  for (auto* split : {&prompts.contexts.train, &prompts.contexts.validation, &prompts.contexts.test})
    for (Context& context : *split) context = with_suffix(context, suffix);
  prompts.seen_train = prompts.contexts.train;  // adaptive attacks have no suffix (check_method)
  prompts.seen_test = prompts.contexts.test;
  return prompts;
}

AskedContexts TrialParts::asked(const std::vector<Context>& contexts) const {
  if (!config.defense.adaptive) return contexts;
  return {contexts, stack_queries(setup.defenses.defenses, contexts)};
}

Models TrialParts::models() const {
  Models models = {setup.model};
  models.insert(models.end(), setup.ensemble.begin(), setup.ensemble.end());
  return models;
}

std::unique_ptr<Objective> TrialParts::objective_of(Models models, const Prompts& prompts,
                                                    const AskedContexts& contexts, int64_t batch,
                                                    bool fixed_draws, bool in_turns) const {
  auto objective = make_objective(config.objective, {std::move(models), prompts.behavior, contexts, photos[0],
                                                     batch, seed(), setup.reply_tokens, in_turns});
  if (!config.defense.adaptive) return objective;
  return std::make_unique<DefendedObjective>(std::move(objective), setup.defenses.defenses, config.defense,
                                             seed(), fixed_draws);
}

std::unique_ptr<Objective> TrialParts::objective_over(const Prompts& prompts, const AskedContexts& contexts,
                                                      int64_t batch, bool fixed_draws) const {
  return objective_of(models(), prompts, contexts, batch, fixed_draws, /*in_turns=*/false);
}

namespace {

/// Each model inside a decorator.
template <class Decorator, class... Given>
std::vector<std::shared_ptr<Decorator>> decorate(Models& models, const Given&... given) {
  std::vector<std::shared_ptr<Decorator>> decorated;
  for (auto& model : models) {
    decorated.push_back(std::make_shared<Decorator>(model, given...));
    model = decorated.back();
  }
  return decorated;
}

}  // namespace

std::unique_ptr<Objective> TrialParts::attack_objective(const Prompts& prompts, bool fixed_draws) const {
  Models asked = models();
  std::vector<std::shared_ptr<TemplatedModel>> templated;
  std::vector<std::shared_ptr<ShiftedModel>> shifted;
  if (!config.augmentation.templates.empty())
    templated = decorate<TemplatedModel>(asked, read_templates(config.augmentation.templates), seed());
  if (config.cropa.radius > 0) shifted = decorate<ShiftedModel>(asked, prompts.seen_train.asked);
  std::unique_ptr<Objective> objective =
      objective_of(std::move(asked), prompts, prompts.seen_train, config.batch, fixed_draws,
                   config.optimizer.name == "cwa");
  if (config.augmentation.any())
    objective = std::make_unique<Augmented>(std::move(objective), config.augmentation, seed(), templated);
  if (moving)
    objective = std::make_unique<MovingPatchObjective>(std::move(objective), *moving, origin, seed());
  if (config.universal)
    objective = std::make_unique<UniversalObjective>(std::move(objective), constraint, origin, photos,
                                                     config.photo_batch, seed());
  if (config.queries > 0)
    objective = std::make_unique<Rgf>(std::move(objective), config.queries, config.query_smoothing, seed());
  if (!shifted.empty()) objective = std::make_unique<Cropa>(std::move(objective), shifted, config.cropa);
  return objective;
}

Tensor TrialParts::shown(const Tensor& image, const Tensor& photo) const {
  if (!config.universal) return image;
  const at::NoGradGuard no_grad;
  return quantize(with_change(constraint, image, origin, photo));  // sums of lattice points, rounding aside
}

std::vector<Submission> TrialParts::submissions(const Tensor& image, const Tensor& photo,
                                                const Prompts& prompts, const std::string& split,
                                                Location patch_at) const {
  const auto& contexts = prompts.contexts.split(split);
  const auto images =
      shown_images(constraint, image.cpu(), photo.cpu(), patch_at, seed(), split, contexts.size());
  std::vector<Submission> submissions;
  for (size_t i = 0; i < contexts.size(); ++i) submissions.push_back({images[i], contexts[i]});
  return submissions;
}

std::vector<Reply> TrialParts::replies(const Tensor& image, const Tensor& photo, const Prompts& prompts,
                                       const std::string& split, Location patch_at) const {
  return pass_on(submissions(image, photo, prompts, split, patch_at), system);
}

int64_t TrialParts::successes(const Prompts& prompts, const std::vector<Context>& contexts,
                              const std::vector<Reply>& replies) {
  int64_t count = 0;
  for (size_t i = 0; i < contexts.size(); ++i)
    count +=
        !replies[i].rejected && prompts.behavior->succeeded(contexts[i], {replies[i].text, replies[i].cut});
  return count;
}

double TrialParts::validation_success(const Tensor& image, const Prompts& prompts) const {
  const auto& contexts = prompts.contexts.validation;
  int64_t obeyed = 0;
  for (const Tensor& photo : photos)
    obeyed += successes(prompts, contexts,
                        replies(shown(image, photo), photo, prompts, "validation", place_in_attack));
  return static_cast<double>(obeyed) / static_cast<double>(contexts.size() * photos.size());
}

}  // namespace hijack
