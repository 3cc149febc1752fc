#pragma once
#include <string>
#include <vector>

#include "src/experiment/run/attack_space.h"
#include "src/experiment/run/prompts.h"

namespace hijack {

/// Asks the model of a trial, behind the trial's defenses, and counts what obeys. Keeps a reference to the
/// space.
class TrialJudge {
 public:
  /// ranks: among which validation is divided; none = one process.
  TrialJudge(const TrialSetup& setup, const AttackSpace& space, std::shared_ptr<Ranks> ranks);

  /// The model behind its defenses.
  const Responder& system() const { return system_; }
  /// What is submitted for each context of a split. A moving patch, which `image` has at patch_at, is shown
  /// to every context at another place (shown_images.h).
  std::vector<Submission> submissions(const Tensor& image, const Tensor& photo, const Prompts& prompts,
                                      const std::string& split, Location patch_at) const;
  /// One reply of the defended model to each context of a split.
  std::vector<Reply> replies(const Tensor& image, const Tensor& photo, const Prompts& prompts,
                             const std::string& split, Location patch_at) const;
  /// Share of validation contexts and photos on which an image of the attack succeeds. Of several ranks each
  /// asks about its share, and all have the result.
  double validation_success(const Tensor& image, const Prompts& prompts) const;

 private:
  const AttackSpace& space_;
  std::shared_ptr<Ranks> ranks_;
  Responder system_;
};

/// How many of a split's contexts the replies obey; rejected ones never do.
int64_t successes(const Prompts& prompts, const std::vector<Context>& contexts,
                  const std::vector<Reply>& replies);

}  // namespace hijack
