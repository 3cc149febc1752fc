#include "src/experiment/trial.h"

#include <chrono>

#include "attacks/attack.h"
#include "attacks/attack_state_io.h"
#include "attacks/augmentation.h"
#include "attacks/make_objective.h"
#include "attacks/query_gradient.h"
#include "defenses/kinds.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/experiment/adaptive.h"
#include "src/experiment/defense_setup.h"
#include "src/experiment/shown_images.h"

namespace hijack {
namespace {

constexpr size_t kReplyBatch = 25;
constexpr double kSmoothing = 1.0 / 255;  // of estimated gradients

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The images of a trial as they were read back from their files, [1,3,H,W] on the model's device. A moving
/// patch lies at the place of the file.
struct SavedImages {
  Tensor origin;
  Tensor adversarial;
  Tensor noise;
};

class Trial {
 public:
  Trial(const TrialSetup& setup, const RunFolder& folder, const RunHooks& hooks)
      : setup_(setup), config_(setup.plan.config), model_(*setup.model), folder_(folder), hooks_(hooks) {
    origin_ = model_.to_input_space(load_image(config_.images[0])).to(model_.device());
    constraint_ = make_constraint(config_.constraint, origin_.size(2), origin_.size(3));
    moving_ = std::get_if<MovingPatch>(&constraint_);
    if (moving_) {
      place_in_attack_ = {moving_->top, moving_->left};
      place_in_file_ = place_in_file(*moving_, origin_, seed());
    }
    system_ = protect(setup.defenses, bare_model(setup.model, setup.reply_tokens));
  }

  std::optional<TrialResult> run() {
    const std::optional<AttackState> state = optimize();
    if (!state) return std::nullopt;
    note("measuring the saved image");
    const SavedImages saved = save(*state);
    describe_trial(*state, saved);
    if (!ask_everything(saved)) return std::nullopt;
    return TrialResult{row_, replies_};
  }

 private:
  std::optional<AttackState> optimize();
  double validate(const Tensor& image) const;
  SavedImages save(const AttackState& state) const;
  Tensor save_and_reload(const Tensor& image, const std::string& kind) const;
  Tensor as_in_file(const Tensor& image) const;
  std::vector<Reply> replies(const Tensor& image, const std::string& split, Location patch_at) const;
  void describe_trial(const AttackState& state, const SavedImages& saved);
  bool ask_everything(const SavedImages& saved);
  Tally ask(const Tensor& image, const std::string& condition, const std::string& split);
  double test_loss(const Tensor& image) const;

  uint64_t seed() const { return config_.seeds[0]; }
  void note(const std::string& text) const {
    if (hooks_.on_note) hooks_.on_note(setup_.plan.id + ": " + text);
  }
  std::unique_ptr<Objective> objective_over(const std::vector<Context>& contexts, int64_t batch,
                                            bool fixed_draws) const;
  std::unique_ptr<Objective> attack_objective(bool fixed_draws) const;

  const TrialSetup& setup_;
  const AttackConfig& config_;
  const VisionLanguageModel& model_;
  const RunFolder& folder_;
  const RunHooks& hooks_;
  Responder system_;  ///< the model behind its defenses
  Tensor origin_;
  Constraint constraint_;
  const MovingPatch* moving_ = nullptr;  ///< the constraint, where it is one
  Location place_in_attack_;
  Location place_in_file_;
  TrialRow row_;
  std::vector<ReplyRow> replies_;
};

std::unique_ptr<Objective> Trial::objective_over(const std::vector<Context>& contexts, int64_t batch,
                                                 bool fixed_draws) const {
  std::vector<std::shared_ptr<const VisionLanguageModel>> models = {setup_.model};
  models.insert(models.end(), setup_.ensemble.begin(), setup_.ensemble.end());
  auto objective = make_objective(config_.objective, {std::move(models), setup_.behavior, contexts, origin_,
                                                      batch, seed(), config_.max_new_tokens});
  if (!config_.defense.adaptive) return objective;
  return std::make_unique<Through>(std::move(objective), setup_.defenses, config_.defense, seed(),
                                   fixed_draws);
}

/// What the optimizer sees: the objective under random changes of the image, its gradient exact or estimated.
std::unique_ptr<Objective> Trial::attack_objective(bool fixed_draws) const {
  std::unique_ptr<Objective> objective = objective_over(setup_.seen_train, config_.batch, fixed_draws);
  if (!config_.augmentation.names.empty())
    objective = std::make_unique<Augmented>(std::move(objective), config_.augmentation, seed());
  if (moving_)
    objective = std::make_unique<MovingPatchObjective>(std::move(objective), *moving_, origin_, seed());
  if (config_.queries > 0)
    objective = std::make_unique<QueryGradient>(std::move(objective), config_.queries, kSmoothing, seed());
  return objective;
}

/// The attack itself. nullopt when stopped.
std::optional<AttackState> Trial::optimize() {
  OptimizerConfig optimizer_config = config_.optimizer;
  optimizer_config.seed = seed();
  const auto optimizer = make_optimizer(optimizer_config, constraint_);
  const auto objective = attack_objective(optimizer->needs_deterministic_objective());
  if (optimizer->needs_deterministic_objective() && !objective->deterministic())
    throw Error("The optimizer " + config_.optimizer.name +
                " compares losses between steps and needs the same contexts at each: set --batch 0.");

  const auto checkpoint = folder_.checkpoint(setup_.plan.id);
  AttackState state = std::filesystem::exists(checkpoint)
                          ? load_attack_state(checkpoint, origin_.device())
                          : start_attack(constraint_, origin_, config_.random_start, seed());
  std::filesystem::create_directories(checkpoint.parent_path());

  AttackHooks attack;
  if (!setup_.contexts.validation.empty())
    attack.validate = [&](const Tensor& image) { return validate(image); };
  attack.after_step = [&](const AttackState& now) {
    if (now.step % config_.checkpoint_every == 0) save_attack_state(now, checkpoint);
    if (hooks_.on_step)
      hooks_.on_step({setup_.plan.id, now.step, config_.optimizer.steps * (config_.restarts + 1),
                      now.losses.back(), now.best_score});
  };
  AttackOptions options{config_.optimizer.steps, config_.validate_every, config_.stop_at, hooks_.stop};
  options.restarts = config_.restarts;
  options.seed = seed();
  if (config_.stop_loss != 0) options.stop_loss = config_.stop_loss;

  const int64_t first_step = state.step;
  const auto start = Clock::now();
  run_attack(state, *objective, *optimizer, constraint_, origin_, options, attack);
  // A resumed trial knows the time of its last part only: the rate is measured, the total follows from it.
  const auto done = static_cast<double>(std::max<int64_t>(1, state.step - first_step));
  row_.seconds_per_step = seconds_since(start) / done;
  save_attack_state(state, checkpoint);
  if (hooks_.stop.stop_requested()) return std::nullopt;
  return state;
}

double Trial::validate(const Tensor& image) const {
  const auto& contexts = setup_.contexts.validation;
  const auto answers = replies(image, "validation", place_in_attack_);
  int64_t successes = 0;
  for (size_t i = 0; i < contexts.size(); ++i)
    successes += !answers[i].rejected && setup_.behavior->succeeded(contexts[i], answers[i].text);
  return static_cast<double>(successes) / static_cast<double>(contexts.size());
}

/// One reply of the defended model to each context of a split.
std::vector<Reply> Trial::replies(const Tensor& image, const std::string& split, Location patch_at) const {
  const auto& contexts = setup_.contexts.split(split);
  const auto shown =
      shown_images(constraint_, image.cpu(), origin_.cpu(), patch_at, seed(), split, contexts.size());
  std::vector<Submission> submissions;
  for (size_t i = 0; i < contexts.size(); ++i) submissions.push_back({shown[i], contexts[i]});
  return pass_on(submissions, system_);
}

Tensor Trial::as_in_file(const Tensor& image) const {
  return moving_ ? move_patch(*moving_, image, place_in_attack_, place_in_file_, origin_) : image;
}

Tensor Trial::save_and_reload(const Tensor& image, const std::string& kind) const {
  const auto file = folder_.path() / RunFolder::image_name(setup_.plan.id, kind);
  save_png(image.cpu(), file);
  return load_image(file).to(model_.device());
}

SavedImages Trial::save(const AttackState& state) const {
  const Tensor adversarial = project_to_lattice(constraint_, state.best_image, origin_);
  Random random = Random(seed()).fork("noise control");
  const Tensor noise = project_to_lattice(constraint_, random_noise(constraint_, origin_, random), origin_);
  return {save_and_reload(origin_, "origin"), save_and_reload(as_in_file(adversarial), ""),
          save_and_reload(as_in_file(noise), "noise")};
}

void Trial::describe_trial(const AttackState& state, const SavedImages& saved) {
  row_.id = setup_.plan.id;
  row_.model =
      (std::filesystem::absolute(config_.model) / "").lexically_normal().parent_path().filename().string();
  row_.source_image = config_.images[0];
  row_.behavior = config_.behavior.name;
  row_.target = config_.behavior.target;
  row_.constraint = describe(constraint_);
  row_.constraint_name = config_.constraint.name;
  if (const auto* ball = std::get_if<LinfBall>(&constraint_)) row_.epsilon_255 = ball->epsilon * 255;
  if (const auto* patch = std::get_if<Patch>(&constraint_)) row_.patch_size = patch->size;
  if (moving_) row_.patch_size = moving_->size;
  row_.optimizer = config_.optimizer.name;
  row_.defense = stack_name(setup_.defenses);
  row_.adaptive = config_.defense.adaptive;
  row_.seed = seed();
  row_.steps = state.step;
  row_.best_step = state.best_step;
  row_.seconds = row_.seconds_per_step * static_cast<double>(state.step);
  row_.losses = state.losses;
  row_.image_file = RunFolder::image_name(row_.id);
  row_.origin_file = RunFolder::image_name(row_.id, "origin");
  row_.noise_file = RunFolder::image_name(row_.id, "noise");
  row_.budget = measure_budget(constraint_, saved.adversarial, origin_);
  TORCH_CHECK(at::equal(saved.origin, origin_), "the origin changed on its way through a PNG file");
}

/// False when stopped.
bool Trial::ask_everything(const SavedImages& saved) {
  row_.loss_clean = test_loss(saved.origin);
  row_.loss_saved = test_loss(saved.adversarial);
  for (const char* split : {"train", "validation", "test"}) {
    row_.success[split] = ask(saved.adversarial, attack_condition(row_), split);
    if (hooks_.stop.stop_requested()) return false;
  }
  row_.controls["clean"] = ask(saved.origin, "clean", "test");
  row_.controls["noise"] = ask(saved.noise, "noise", "test");
  return !hooks_.stop.stop_requested();
}

Tally Trial::ask(const Tensor& image, const std::string& condition, const std::string& split) {
  const auto& contexts = setup_.contexts.split(split);
  const auto start = Clock::now();
  const auto answers = replies(image, split, place_in_file_);
  const double seconds = seconds_since(start) / static_cast<double>(std::max<size_t>(1, answers.size()));
  Tally tally;
  for (size_t i = 0; i < contexts.size(); ++i) {
    const Reply& answer = answers[i];
    ReplyRow reply;
    reply.trial = setup_.plan.id;
    reply.condition = condition;
    reply.split = split;
    reply.context = contexts[i];
    reply.defense = row_.defense;
    reply.reply = answer.text;
    reply.rejected = answer.rejected;
    reply.trace = answer.trace;
    reply.exact = !answer.rejected && setup_.behavior->succeeded(contexts[i], answer.text);
    reply.contained = !answer.rejected && setup_.behavior->contained(contexts[i], answer.text);
    reply.seconds = seconds;
    ++tally.n;
    tally.exact += reply.exact;
    tally.contained += reply.contained;
    replies_.push_back(std::move(reply));
  }
  return tally;
}

double Trial::test_loss(const Tensor& image) const {
  const at::NoGradGuard no_grad;
  return objective_over(setup_.seen_test, 0, true)->loss(image, 0).mean().item<double>();
}

}  // namespace

std::vector<std::string> replies_to(const VisionLanguageModel& model, const Tensor& image,
                                    const std::vector<Context>& contexts, int64_t max_new_tokens) {
  const at::NoGradGuard no_grad;
  const Pixels pixels = model.preprocess(image);
  GenerateOptions options;
  options.max_new_tokens = max_new_tokens;
  std::vector<std::string> replies;
  for (size_t begin = 0; begin < contexts.size(); begin += kReplyBatch) {
    const std::span<const Query> all(contexts);
    const auto batch = all.subspan(begin, std::min(kReplyBatch, contexts.size() - begin));
    for (std::string& reply : model.generate(pixels, batch, options)) replies.push_back(std::move(reply));
  }
  return replies;
}

std::optional<TrialResult> run_trial(const TrialSetup& setup, const RunFolder& folder,
                                     const RunHooks& hooks) {
  return Trial(setup, folder, hooks).run();
}

}  // namespace hijack
