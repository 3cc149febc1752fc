#pragma once
#include <functional>
#include <limits>
#include <stop_token>
#include <string>
#include <vector>

#include "attacks/constraint.h"
#include "attacks/objective.h"
#include "attacks/optimizer.h"

// How an attack flows; every box is one small class or variant, and none knows another's kind.
//
// clang-format off
//
//   origin, Constraint --- start_attack ----> image         [1,3,H,W] in [0,1], model-input space
//                                               |  <------------------------------------------------+
//   behavior, contexts, models - Objective ->   v                                                   |
//                                             loss          [1]                                     |
//                                               |                                                   |
//                              autograd ----->  v                                                   |
//                                             gradient      like the image; nothing is clamped in   |
//                                               |           the graph                               |
//   Constraint --------------- Optimizer ---->  v                                                   |
//                                             next image    projected onto the set around the ------+
//                                               |           origin
//   validation contexts ------ now and then ->  v
//                                             best_image    on the lattice
//                                               |
//   the runner: save_png, load_image,           v
//   measure_budget, generate, succeeded ---->  what is reported
//
// clang-format on

namespace hijack {

/// Where an attack is: enough to continue it to the same final bytes.
struct AttackState {
  int64_t step = 0;            ///< steps done, over all starts
  Tensor image;                ///< [1,3,H,W], the next point to evaluate
  Tensor best_image;           ///< chosen on validation contexts, on the lattice
  double best_score = -1;      ///< validation success rate (or -loss where there is no validation)
  int64_t best_step = -1;      ///< -1: nothing has been validated yet
  std::vector<double> losses;  ///< one per step
  double seconds = 0;          ///< that the steps took, validation included; NaN: an older checkpoint
  OptimizerState optimizer;
  ObjectiveState objective;
};

struct AttackOptions {
  int64_t steps = 300;          ///< of each start
  int64_t validate_every = 50;  ///< 0 = only at the end
  double stop_at_score = 2;     ///< stop once validation succeeds that often (> 1 = never; needs a hook)
  std::stop_token stop = {};    ///< Ctrl-C: returns after the current step
  int64_t restarts = 0;         ///< further starts, at random points; the best image of all starts is kept
  uint64_t seed = 0;            ///< of those points
  /// Ends the attack at the image whose loss is below it.
  double stop_loss = -std::numeric_limits<double>::infinity();
};

/// What the loop tells while it runs.
struct AttackHooks {
  /// Score in [0,1] of a lattice image on validation contexts; higher is better. Of equal scores the later
  /// image wins. Empty = -loss of the lattice image decides, always on the contexts of step 0.
  std::function<double(const Tensor& lattice_image)> validate = {};
  /// After each step, validation included: progress, checkpoints (attack_state_io.h).
  std::function<void(const AttackState&)> after_step = {};

  // For attacks that go side by side with others.

  GradientsOf gradients = {};  ///< of the step's loss; empty = a backward pass of its own
  /// Seconds of work so far, of which steps take the difference; empty = the clock on the wall.
  std::function<double()> seconds = {};
};

/// A fresh state: starts at the origin, or at a random allowed point. origin [1,3,H,W] on the lattice.
AttackState start_attack(const Constraint& constraint, const Tensor& origin, bool random_start,
                         uint64_t seed);

/// The loop: loss and gradient -> optimizer -> allowed set, until `steps` or stop, then again from each
/// restart with the optimizer as new. Objectives see the steps of all starts counted in one. Where a loss
/// only counts (Objective::stepwise) and its estimated gradient is zero, no step is taken. Continues from
/// `state`, to the same bytes as without the interruption. A stopped attack has a best_image, too: the last
/// one, if none was validated yet. Throws Failure when loss or gradient are not finite, or when the gradient
/// is zero from the start; says which, at which step, and the likely cause. `state` then holds everything up
/// to the step before.
void run_attack(AttackState& state, Objective& objective, Optimizer& optimizer, const Constraint& constraint,
                const Tensor& origin, const AttackOptions& options, const AttackHooks& hooks = {});

}  // namespace hijack
