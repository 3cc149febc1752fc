#include "attacks/attack.h"

#include <ATen/ATen.h>

#include <chrono>

#include "attacks/loop/evaluate.h"
#include "src/base/image.h"

namespace hijack {
namespace {

double seconds_of_work(const AttackHooks& hooks) {
  if (hooks.seconds) return hooks.seconds();
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

bool validation_is_due(int64_t step, const AttackOptions& options) {
  const int64_t of_start = step % options.steps;
  return of_start == 0 || (options.validate_every > 0 && of_start % options.validate_every == 0);
}

/// Only a success rate can be good enough: -loss, the score without validation, has no scale of its own.
bool succeeds_enough(const AttackState& state, const AttackOptions& options, const AttackHooks& hooks) {
  return hooks.validate && state.best_score >= options.stop_at_score;
}

bool finished(const AttackState& state, const AttackOptions& options, const AttackHooks& hooks) {
  return state.step >= options.steps * (options.restarts + 1) || succeeds_enough(state, options, hooks) ||
         options.stop.stop_requested();
}

void keep_best(AttackState& state, const Tensor& image, Objective& objective, const Constraint& constraint,
               const Tensor& origin, const AttackHooks& hooks) {
  const at::NoGradGuard no_grad;
  const Tensor candidate = project_to_lattice(constraint, image, origin);
  const double score = hooks.validate ? hooks.validate(candidate)
                                      : -objective.comparable_loss(candidate).mean().item<double>();
  if (state.best_step >= 0 && score < state.best_score) return;
  state.best_image = candidate;
  state.best_score = score;
  state.best_step = state.step;
}

/// Another start, at a random point that depends on the seed and on its number.
void start_again(AttackState& state, Objective& objective, Optimizer& optimizer, const Constraint& constraint,
                 const Tensor& origin, const AttackOptions& options) {
  Random random = Random(options.seed).fork("restart of an attack", state.step / options.steps);
  state.image = random_point(constraint, origin, random);
  optimizer.restore({});
  objective.restore({});
}

/// An estimate without any difference shows no direction: image and optimizer wait for the next draw.
Tensor next_point(const Evaluation& now, const Objective& objective, Optimizer& optimizer,
                  const Constraint& constraint, const Tensor& origin, int64_t step) {
  const bool blind = objective.stepwise() && now.gradient.defined() && !now.gradient.any().item<bool>();
  return blind ? now.image : optimizer.next(now, constraint, origin, step);
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
  objective.restore(state.objective);
  while (!finished(state, options, hooks)) {
    const double start = seconds_of_work(hooks);
    const int64_t step = state.step % options.steps;
    if (step == 0 && state.step > 0) start_again(state, objective, optimizer, constraint, origin, options);
    const Evaluation now =
        evaluate(objective, state.image, state.step, optimizer.uses_gradient(), hooks.gradients);
    const double loss = now.mean_loss;
    if (loss < options.stop_loss) {
      keep_best(state, state.image, objective, constraint, origin, hooks);
      break;
    }
    state.losses.push_back(loss);
    state.image = next_point(now, objective, optimizer, constraint, origin, step);
    objective.after_step(now.image, state.step);
    state.optimizer = optimizer.state();
    state.objective = objective.state();
    ++state.step;
    if (validation_is_due(state.step, options))
      keep_best(state, optimizer.candidate(state.image), objective, constraint, origin, hooks);
    state.seconds += seconds_of_work(hooks) - start;
    if (hooks.after_step) hooks.after_step(state);
  }
  // Stopped before the first validation: no best_step, so that a resumed run validates as if never stopped.
  if (!state.best_image.defined()) state.best_image = project_to_lattice(constraint, state.image, origin);
}

}  // namespace hijack
