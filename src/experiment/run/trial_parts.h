#pragma once
#include <memory>
#include <string>
#include <vector>

#include "attacks/wrappers/moving_patch.h"
#include "src/base/error.h"
#include "src/experiment/run/trial.h"

namespace hijack {

/// How the model is asked: with the contexts of the setup, or with a suffix after each prompt.
struct Prompts {
  std::shared_ptr<const Behavior> behavior;
  ContextSet contexts;
  AskedContexts seen_train, seen_test;  ///< what objectives see of them (TrialSetup)
};

using Models = std::vector<std::shared_ptr<const VisionLanguageModel>>;

/// What the search of a trial and the measurement of its result share. Images are [1,3,H,W] in the space of
/// the attack, on the model's device.
struct TrialParts {
  TrialParts(const TrialSetup& setup, const RunFolder& folder, const RunHooks& hooks);
  TrialParts(const TrialParts&) = delete;  // `moving` points inside
  TrialParts& operator=(const TrialParts&) = delete;

  const TrialSetup& setup;
  const AttackConfig& config;
  const VisionLanguageModel& model;
  const RunFolder& folder;
  const RunHooks& hooks;
  std::vector<Tensor> photos;    ///< one, or those of a universal image
  std::vector<Tensor> held_out;  ///< photos that a universal image is only judged on
  Constraint constraint;
  Tensor origin;  ///< around which the attack works: the photo, or a universal image's carrier
  const MovingPatch* moving = nullptr;  ///< the constraint, where it is one
  Responder system;                     ///< the model behind its defenses
  Location place_in_attack, place_in_file;

  const std::string& id() const { return setup.plan.id; }
  uint64_t seed() const { return config.seeds[0]; }
  void note(const std::string& text) const;
  void progress(int64_t step, int64_t steps, double loss, double success) const;
  /// The constraint in words, with the space it is measured in.
  std::string described() const;

  Prompts prompts() const { return {setup.behavior, setup.contexts, setup.seen_train, setup.seen_test}; }
  Prompts prompts_with(const std::string& suffix) const;
  /// As the objective of an adaptive attack sees them: what the defenses make of their prompts.
  AskedContexts asked(const std::vector<Context>& contexts) const;

  /// The loss over contexts of one image, over all models; of an adaptive attack, through the defenses.
  /// fixed_draws: theirs stay the same at every step.
  std::unique_ptr<Objective> objective_over(const Prompts& prompts, const AskedContexts& contexts,
                                            int64_t batch, bool fixed_draws) const;
  /// What an optimizer sees: over photos, under random changes, its gradient exact or estimated.
  std::unique_ptr<Objective> attack_objective(const Prompts& prompts, bool fixed_draws) const;

  /// The models of the attack: the trial's, and those of its ensemble.
  Models models() const;
  /// The loss of objective_over, asked of other models.
  std::unique_ptr<Objective> objective_of(Models models, const Prompts& prompts,
                                          const AskedContexts& contexts, int64_t batch, bool fixed_draws,
                                          bool in_turns) const;

  /// What the model is shown for a photo when the attack is at `image`.
  Tensor shown(const Tensor& image, const Tensor& photo) const;
  /// What is submitted for each context of a split. A moving patch, which `image` has at patch_at, is shown
  /// to every context at another place (shown_images.h).
  std::vector<Submission> submissions(const Tensor& image, const Tensor& photo, const Prompts& prompts,
                                      const std::string& split, Location patch_at) const;
  /// One reply of the defended model to each context of a split.
  std::vector<Reply> replies(const Tensor& image, const Tensor& photo, const Prompts& prompts,
                             const std::string& split, Location patch_at) const;
  /// How many of a split's contexts the replies obey; rejected ones never do.
  static int64_t successes(const Prompts& prompts, const std::vector<Context>& contexts,
                           const std::vector<Reply>& replies);
  /// Share of validation contexts and photos on which an image of the attack succeeds.
  double validation_success(const Tensor& image, const Prompts& prompts) const;
};

/// A photo in the space in which a config attacks.
Tensor in_attack_space(const VisionLanguageModel& model, const AttackConfig& config, const std::string& file);

/// All photos that a config attacks or judges its image on, held-out ones included, in that space.
std::vector<Tensor> attacked_photos(const VisionLanguageModel& model, const AttackConfig& config);

/// Throws what was not finite again, with the reason that the models of a config give for it
/// (models/not_finite.h).
[[noreturn]] void explain(const NotFinite& found, const AttackConfig& config);

/// Throws Error when the constraint does not fit a photo, or the photos of a universal image differ in size.
void check_photos(const VisionLanguageModel& model, const AttackConfig& config);

}  // namespace hijack
