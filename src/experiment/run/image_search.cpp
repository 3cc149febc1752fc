#include <chrono>

#include "attacks/attack.h"
#include "attacks/loop/attack_state_io.h"
#include "attacks/objectives/surrogate_choice.h"
#include "attacks/text/gcg.h"
#include "attacks/text/suffix.h"
#include "attacks/wrappers/rgf.h"
#include "models/endpoint/client.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/experiment/parallel/lockstep.h"
#include "src/experiment/parallel/ranked_steps.h"
#include "src/experiment/plan/methods.h"
#include "src/experiment/plan/surrogates.h"
#include "src/experiment/run/explain.h"
#include "src/experiment/run/search.h"

namespace hijack {
namespace {

using Clock = std::chrono::steady_clock;

struct Descent {
  std::unique_ptr<Optimizer> optimizer;
  std::unique_ptr<Objective> objective;
};

Descent descent_of(const TrialParts& parts, const Prompts& prompts) {
  OptimizerConfig config = parts.config.optimizer;
  config.seed = parts.seed();
  config.models = static_cast<int64_t>(uses_surrogates(parts.config) ? parts.setup.surrogates.size()
                                                                     : parts.setup.ensemble.size() + 1);
  auto optimizer = make_optimizer(config, parts.space.constraint);
  const bool compares = optimizer->needs_deterministic_objective();
  auto objective = parts.objectives.for_optimizer(prompts, compares);
  if (compares && !objective->deterministic())
    throw Error("The optimizer " + config.name +
                " compares losses between steps and needs the same contexts at each: set --batch 0.");
  return {std::move(optimizer), std::move(objective)};
}

AttackOptions options_of(const TrialParts& parts) {
  const AttackConfig& config = parts.config;
  AttackOptions options{config.optimizer.steps, config.validate_every, config.stop_at, parts.hooks.stop};
  options.restarts = config.restarts;
  options.seed = parts.seed();
  if (config.stop_loss != 0) options.stop_loss = config.stop_loss;
  return options;
}

AttackHooks hooks_of(const TrialParts& parts, const Prompts& prompts, const std::filesystem::path& checkpoint,
                     RankedSteps& ranked) {
  AttackHooks hooks;
  if (!prompts.contexts.validation.empty())
    hooks.validate = [&](const Tensor& image) { return parts.judge.validation_success(image, prompts); };
  if (LockstepSeat* const seat = parts.setup.seat) {
    hooks.gradients = [seat](const Tensor& loss, const std::vector<Tensor>& wanted) {
      return seat->gradients(loss, wanted);
    };
    hooks.seconds = [seat] { return seat->seconds(); };
  }
  hooks.after_step = [&parts, &ranked, checkpoint, validated = bool(hooks.validate)](const AttackState& now) {
    const AttackConfig& config = parts.config;
    if (now.step % config.checkpoint_every == 0 && parts.writes()) save_attack_state(now, checkpoint);
    ranked.agree(now);
    parts.progress(now.step, planned_steps(config), now.losses.back(),
                   validated ? now.best_score : -1);  // without validation the score is -loss
  };
  return hooks;
}

/// A loss that is no number ends the trial: what was reached is saved, and the error says where. At the first
/// step there is nothing to save.
[[noreturn]] void give_up(const TrialParts& parts, const AttackState& state,
                          const std::filesystem::path& checkpoint, const std::string& why) {
  if (state.losses.empty() || !parts.writes()) throw Failure(why);
  save_attack_state(state, checkpoint);
  const Tensor image = state.best_image.defined()
                           ? state.best_image
                           : project_to_lattice(parts.space.constraint, state.image, parts.space.origin);
  const std::string name = RunFolder::image_name(parts.id(), "last_good");
  save_png(parts.space.shown(image, parts.space.photos[0]).cpu(), parts.folder.path() / name);
  throw Failure(
      why + " The last good image, of step " +
      std::to_string(state.best_image.defined() ? std::max<int64_t>(0, state.best_step) : state.step) +
      ", is " + (parts.folder.path() / name).string() + ".");
}

/// What ended a search before its last step; says so.
std::string early_stop(const TrialParts& parts, int64_t steps, bool validated, double score) {
  if (steps >= planned_steps(parts.config)) return "";
  std::string why = "the loss fell below stop_loss";
  if (validated && score >= parts.config.stop_at)
    why = "validation reached " + std::to_string(std::lround(100 * score)) + " %";
  parts.note("stopped at step " + std::to_string(steps) + " of " +
             std::to_string(planned_steps(parts.config)) + ": " + why);
  return why;
}

/// Random signs or pixels at the budget of the attack.
Tensor noise_for(const TrialParts& parts) {
  Random random = Random(parts.seed()).fork("noise control");
  return project_to_lattice(parts.space.constraint,
                            random_noise(parts.space.constraint, parts.space.origin, random),
                            parts.space.origin);
}

/// "square", "pgd (RGF)", "square (success rate)", "pgd (RGF, success rate)".
std::string optimizer_in_words(const TrialParts& parts) {
  std::string how = parts.config.queries > 0 ? "RGF" : "";
  if (parts.setup.score == "success") how += how.empty() ? "success rate" : ", success rate";
  return parts.config.optimizer.name + (how.empty() ? "" : " (" + how + ")");
}

Found found_in(const TrialParts& parts, const AttackState& state, bool validated) {
  Found found;
  found.image = project_to_lattice(parts.space.constraint, state.best_image, parts.space.origin);
  found.noise = noise_for(parts);
  found.budget = parts.space.constraint;
  found.constraint = parts.space.described();
  found.constraint_name = parts.config.constraint.name;
  found.optimizer = optimizer_in_words(parts);
  found.losses = state.losses;
  found.steps = state.step;
  found.best_step = state.best_step;
  found.idle_steps = steps_without_difference(state.objective);
  if (found.idle_steps > 0)
    parts.note("in " + std::to_string(found.idle_steps) + " of " + std::to_string(state.step) +
               " steps no direction changed what is counted of the replies: no step was taken there");
  found.surrogate_steps = steps_of_surrogates(state.objective);
  found.stopped = early_stop(parts, state.step, validated, state.best_score);
  // the checkpoint carries the time, so that a resumed trial knows that of all its steps
  found.seconds_per_step = state.seconds / static_cast<double>(state.step);  // NaN for no step
  return found;
}

}  // namespace

std::optional<Found> search_image(const TrialParts& parts) {
  const Prompts prompts = prompts_of(parts.setup);
  const auto [optimizer, objective] = descent_of(parts, prompts);
  const auto checkpoint = parts.folder.checkpoint(parts.id());
  AttackState state =
      std::filesystem::exists(checkpoint)
          ? load_attack_state(checkpoint, parts.space.origin.device())
          : start_attack(parts.space.constraint, parts.space.origin, parts.config.random_start, parts.seed());
  RankedSteps ranked(parts.hooks.machine.ranks, parts.hooks.stop);
  AttackOptions options = options_of(parts);
  options.stop = ranked.stop();
  const AttackHooks hooks = hooks_of(parts, prompts, checkpoint, ranked);
  try {
    ranked.agree(state);
    run_attack(state, *objective, *optimizer, parts.space.constraint, parts.space.origin, options, hooks);
  } catch (const NotFinite& found) {
    try {
      explain(found, parts.config);
    } catch (const Failure& cause) {
      give_up(parts, state, checkpoint, cause.what());
    }
  } catch (const RankLost&) {
    if (parts.writes()) save_attack_state(ranked.last(), checkpoint);  // nothing failed here
    throw;
  } catch (const Failure& failure) {
    if (dynamic_cast<const AskingEnded*>(&failure) != nullptr) throw;  // nothing failed; --resume goes on
    give_up(parts, state, checkpoint, failure.what());
  }
  if (parts.writes()) save_attack_state(state, checkpoint);
  if (options.stop.stop_requested()) return std::nullopt;
  return found_in(parts, state, !prompts.contexts.validation.empty());
}

namespace {

/// The best pair of image and suffix so far.
struct Pair {
  double success = -1;
  Tensor image;
  std::string suffix;
  int64_t step = 0;
};

class JointSearch {
 public:
  explicit JointSearch(const TrialParts& parts) : parts_(parts), config_(parts.config) {
    state_ = start_attack(parts.space.constraint, parts.space.origin, config_.random_start, parts.seed());
    suffix_ = search_text(0, 0);
  }

  /// False when stopped.
  bool round(int64_t number) {
    improve_image(number);
    suffix_ = search_text(share(config_.suffix.steps, number), number + 1);
    keep(state_.best_image);
    return !parts_.hooks.stop.stop_requested();
  }

  const Pair& best() const { return best_; }
  const std::vector<double>& losses() const { return losses_; }

 private:
  /// Steps of a round: they differ by one at most and add up to `all`.
  int64_t share(int64_t all, int64_t number) const {
    return all * (number + 1) / config_.joint_rounds - all * number / config_.joint_rounds;
  }

  void improve_image(int64_t number) {
    const Prompts prompts = prompts_with(suffix_, parts_.setup);
    const auto [optimizer, objective] = descent_of(parts_, prompts);
    AttackOptions options = options_of(parts_);
    options.steps = std::max<int64_t>(1, share(config_.optimizer.steps, number));
    options.restarts = 0;
    options.validate_every = 0;
    AttackState next;
    next.image = state_.image;
    AttackHooks hooks;
    hooks.after_step = [&](const AttackState& now) {
      losses_.push_back(now.losses.back());
      parts_.progress(static_cast<int64_t>(losses_.size()), config_.optimizer.steps, losses_.back(),
                      best_.success);
    };
    run_attack(next, *objective, *optimizer, parts_.space.constraint, parts_.space.origin, options, hooks);
    state_ = std::move(next);
    keep(state_.best_image);
  }

  std::string search_text(int64_t steps, int64_t number) const {
    GcgConfig config = config_.suffix;
    config.steps = steps;
    GcgHooks hooks;
    hooks.stop = parts_.hooks.stop;
    hooks.scorers = stack_prompt_scorers(parts_.setup.defenses.defenses);
    if (number == 1) hooks.note = [&](const std::string& text) { parts_.note(text); };
    const Tensor image = state_.best_image.defined() ? state_.best_image : parts_.space.origin;
    const uint64_t seed =
        Random(parts_.seed()).fork("suffix of a round", static_cast<uint64_t>(number)).bits();
    return gcg_suffix(parts_.model, image, parts_.setup.contexts.train, *parts_.setup.behavior, config, seed,
                      hooks, suffix_)
        .suffix;
  }

  void keep(const Tensor& image) {
    if (parts_.hooks.stop.stop_requested()) return;
    const double success = parts_.setup.contexts.validation.empty()
                               ? 0
                               : parts_.judge.validation_success(image, prompts_with(suffix_, parts_.setup));
    if (success < best_.success) return;
    best_ = {success, image, suffix_, static_cast<int64_t>(losses_.size())};
  }

  const TrialParts& parts_;
  const AttackConfig& config_;
  AttackState state_;
  std::string suffix_;
  Pair best_;
  std::vector<double> losses_;
};

}  // namespace

std::optional<Found> search_jointly(const TrialParts& parts) {
  const auto start = Clock::now();
  JointSearch search(parts);
  for (int64_t i = 0; i < parts.config.joint_rounds; ++i) {
    if (!search.round(i)) return std::nullopt;
    if (search.best().success >= parts.config.stop_at) break;
  }
  Found found;
  found.image = project_to_lattice(parts.space.constraint, search.best().image, parts.space.origin);
  found.noise = noise_for(parts);
  found.suffix = search.best().suffix;
  found.noise_suffix = gibberish_suffix(parts.model.tokenizer(), parts.config.suffix.tokens, parts.seed());
  found.budget = parts.space.constraint;
  found.constraint =
      parts.space.described() + " + suffix of " + std::to_string(parts.config.suffix.tokens) + " tokens";
  found.constraint_name = parts.config.constraint.name + " + suffix";
  found.optimizer = parts.config.optimizer.name + " + gcg";
  found.losses = search.losses();
  found.steps = static_cast<int64_t>(search.losses().size());
  found.best_step = search.best().step;
  found.stopped = early_stop(parts, found.steps, true, search.best().success);
  found.seconds_per_step = std::chrono::duration<double>(Clock::now() - start).count() /
                           static_cast<double>(std::max<int64_t>(1, found.steps));
  return found;
}

}  // namespace hijack
