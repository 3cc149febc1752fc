#include "attacks/attack.h"

#include <ATen/ATen.h>

#include "attacks/evaluate.h"
#include "src/base/image.h"

namespace hijack {
namespace {

bool validation_is_due(int64_t step, const AttackOptions& options) {
  return step == options.steps || (options.validate_every > 0 && step % options.validate_every == 0);
}

void keep_best(AttackState& state, Objective& objective, const Constraint& constraint, const Tensor& origin,
               const AttackHooks& hooks) {
  const at::NoGradGuard no_grad;
  const Tensor candidate = project_to_lattice(constraint, state.image, origin);
  const double score =
      hooks.validate ? hooks.validate(candidate) : -objective.loss(candidate, 0).mean().item<double>();
  if (state.best_step >= 0 && score < state.best_score) return;
  state.best_image = candidate;
  state.best_score = score;
  state.best_step = state.step;
}

}  // namespace

AttackState start_attack(const Constraint& constraint, const Tensor& origin, bool random_start,
                         uint64_t seed) {
  TORCH_CHECK(on_lattice(origin), "the origin must be on the lattice");
  AttackState state;
  Random random = Random(seed).fork("start of an attack");
  state.image = random_start ? random_point(constraint, origin, random) : origin.clone();
  return state;
}

void run_attack(AttackState& state, Objective& objective, Optimizer& optimizer, const Constraint& constraint,
                const Tensor& origin, const AttackOptions& options, const AttackHooks& hooks) {
  TORCH_CHECK(state.image.defined() && state.image.sizes() == origin.sizes(),
              "state and origin differ in size");
  TORCH_CHECK(objective.deterministic() || !optimizer.needs_deterministic_objective(),
              "this optimizer compares losses between steps and needs a deterministic objective");
  optimizer.restore(state.optimizer);
  while (state.step < options.steps && state.best_score < options.stop_at_score &&
         !options.stop.stop_requested()) {
    const Evaluation now = evaluate(objective, state.image, state.step);
    state.losses.push_back(now.loss.mean().item<double>());
    state.image = optimizer.next(now, constraint, origin, state.step);
    state.optimizer = optimizer.state();
    ++state.step;
    if (validation_is_due(state.step, options)) keep_best(state, objective, constraint, origin, hooks);
    if (hooks.after_step) hooks.after_step(state);
  }
  // Stopped before the first validation: no best_step, so that a resumed run validates as if never stopped.
  if (!state.best_image.defined()) state.best_image = project_to_lattice(constraint, state.image, origin);
}

}  // namespace hijack
