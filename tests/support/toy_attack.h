#pragma once
#include <memory>
#include <string>
#include <vector>

#include "attacks/attack.h"
#include "attacks/objectives/make_objective.h"
#include "attacks/wrappers/moving_patch.h"
#include "tests/support/toy_model.h"

namespace hijack {

struct ToyCase {
  std::string behavior = "string";
  ConstraintConfig constraint = {};
  std::string optimizer = "pgd";
  int64_t batch = 4;  ///< all contexts for optimizers that need a deterministic objective
  int64_t steps = 24;
  std::string objective = {};                     ///< formula; empty = the behavior's own
  std::string picture = {};                       ///< of objective features
  std::string targets = {};                       ///< file of behavior corpus
  std::shared_ptr<const Behavior> prepared = {};  ///< what toy_behavior gives; empty = made for this attack

  std::string name() const { return behavior + ", " + objective + ", " + constraint.name + ", " + optimizer; }
};

/// The behavior of a case, prepared for toy_contexts(30) over the toy image.
std::shared_ptr<const Behavior> toy_behavior(const ToyCase& one);

/// One attack on the toy model, with everything it is made of. Throws Error where the case is refused.
struct ToyAttack {
  explicit ToyAttack(const ToyCase& one);

  std::shared_ptr<ToyModel> model = std::make_shared<ToyModel>();
  Tensor origin = toy_image();
  std::shared_ptr<const Behavior> behavior;  ///< toy_behavior
  Constraint constraint;
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Objective> objective;     ///< over toy_contexts(10)
  std::unique_ptr<Objective> all_contexts;  ///< the same without batches
  AttackOptions options;
  AttackHooks hooks;

  /// Share of contexts on which the behavior succeeds.
  double success(const Tensor& image, const std::vector<Context>& contexts) const;
  /// Loss over all training contexts; for a moving patch the mean over 8 places that the attack did not draw.
  double full_loss(const Tensor& image) const;
  AttackState start() const { return start_attack(constraint, origin, false, 5); }
  void run(AttackState& state);
};

void expect_same(const AttackState& a, const AttackState& b);

}  // namespace hijack
