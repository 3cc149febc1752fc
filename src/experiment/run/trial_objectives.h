#pragma once
#include <memory>
#include <vector>

#include "attacks/objective.h"
#include "src/experiment/run/attack_space.h"
#include "src/experiment/run/prompts.h"

namespace hijack {

/// The losses of a trial: over its models, through its defenses, and as its optimizer sees them. Keeps
/// references to its parts.
class TrialObjectives {
 public:
  /// ranks: among which the contexts of an optimizer's steps are divided; none = one process.
  TrialObjectives(const TrialSetup& setup, const AttackSpace& space, std::shared_ptr<Ranks> ranks)
      : setup_(setup), space_(space), ranks_(std::move(ranks)) {}

  /// Contexts as the objective of an adaptive attack sees them: asked is what the defenses make of their
  /// prompts.
  AskedContexts asked(const std::vector<Context>& contexts) const;

  /// The loss over contexts of one image, over all models; of an adaptive attack, through the defenses.
  /// fixed_draws: theirs stay the same at every step.
  std::unique_ptr<Objective> over(const Prompts& prompts, const AskedContexts& contexts, int64_t batch,
                                  bool fixed_draws) const;
  /// What an optimizer sees: over photos, under random changes, its gradient exact or estimated.
  std::unique_ptr<Objective> for_optimizer(const Prompts& prompts, bool fixed_draws) const;

 private:
  using Models = std::vector<std::shared_ptr<const VisionLanguageModel>>;

  /// The models of the attack: the trial's, and those of its ensemble.
  Models models() const;
  std::unique_ptr<Objective> of(Models models, const Prompts& prompts, const AskedContexts& contexts,
                                int64_t batch, bool fixed_draws, bool in_turns,
                                std::shared_ptr<Ranks> ranks) const;

  const TrialSetup& setup_;
  const AttackSpace& space_;
  std::shared_ptr<Ranks> ranks_;
};

}  // namespace hijack
