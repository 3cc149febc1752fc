#pragma once
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "attacks/constraint.h"
#include "attacks/objective.h"
#include "attacks/optimizer.h"

namespace hijack {

/// Where an attack is: enough to continue it to the same final bytes.
struct AttackState {
  int64_t step = 0;            ///< steps done
  Tensor image;                ///< [1,3,H,W], the next point to evaluate
  Tensor best_image;           ///< chosen on validation contexts, on the lattice
  double best_score = -1;      ///< validation success rate (or -loss where there is no validation)
  int64_t best_step = -1;
  std::vector<double> losses;  ///< one per step
  OptimizerState optimizer;
};

struct AttackOptions {
  int64_t steps = 300;
  int64_t validate_every = 50;  ///< 0 = only at the end
  double stop_at_score = 2;     ///< stop once validation reaches it (> 1 = never)
  std::stop_token stop;         ///< Ctrl-C: returns after the current step
};

/// What the loop tells while it runs.
struct AttackHooks {
  /// Score in [0,1] of a lattice image on validation contexts; higher is better. Empty = -loss decides.
  std::function<double(const Tensor& lattice_image)> validate = {};
  std::function<void(const AttackState&)> after_step = {};
};

/// A fresh state: starts at the origin, or at a random allowed point.
AttackState start_attack(const Constraint& constraint, const Tensor& origin, bool random_start, uint64_t seed);

/// The loop: loss and gradient -> optimizer -> allowed set, until `steps` or stop. Continues from `state`.
/// Throws Failure when the loss is not finite or the gradient is zero from the start (says which).
void run_attack(AttackState& state, Objective& objective, Optimizer& optimizer, const Constraint& constraint,
                const Tensor& origin, const AttackOptions& options, const AttackHooks& hooks = {});

}  // namespace hijack
