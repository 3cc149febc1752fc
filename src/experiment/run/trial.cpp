#include "src/experiment/run/trial.h"

#include "attacks/text/suffixed.h"
#include "defenses/kinds.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/experiment/run/defense_setup.h"
#include "src/experiment/run/encoder_similarity.h"
#include "src/experiment/run/search.h"
#include "src/experiment/run/victim.h"
#include "src/experiment/run/visibility.h"

namespace hijack {
namespace {

/// The images of one photo as they were read back from their files, [1,3,H,W] on the model's device;
/// undefined for a language model. A moving patch lies at the place of the file.
struct SavedImages {
  size_t photo = 0;  ///< its place among the trained and held-out photos
  Tensor origin, adversarial, noise;
};

class Trial {
 public:
  Trial(const TrialSetup& setup, const RunFolder& folder, const RunHooks& hooks)
      : parts_(setup, folder, hooks),
        config_(parts_.config),
        keys_(config_.model, config_, setup.replies(), victim_name(*setup.model)) {}

  std::optional<TrialResult> run() {
    const std::optional<Found> found = search(parts_);
    if (!found) return std::nullopt;
    if (!parts_.writes()) return TrialResult{};
    parts_.note("measuring the saved image");
    plain_ = prompts_of(parts_.setup);
    attacked_ = found->suffix.empty() ? plain_ : prompts_with(found->suffix, parts_.setup);
    noisy_ = found->noise_suffix.empty() ? plain_ : prompts_with(found->noise_suffix, parts_.setup);
    suffix_ = found->suffix;
    noise_suffix_ = found->noise_suffix;
    describe_trial(*found);
    std::vector<SavedImages> saved;
    for (size_t i = 0; i < parts_.space.photos.size() + parts_.space.held_out.size(); ++i)
      saved.push_back(save(*found, i));
    measure_budgets(*found, saved);
    surrogate_steps_ = found->surrogate_steps;
    if (found->read_back) measure_reading(*found->read_back, saved[0]);
    if (!ask_everything(saved)) return std::nullopt;
    return TrialResult{row_, replies_};
  }

 private:
  const Tensor& photo(size_t index) const {
    return index < parts_.space.photos.size() ? parts_.space.photos[index]
                                              : parts_.space.held_out[index - parts_.space.photos.size()];
  }
  /// Names of files: "" and "noise" for the only photo, "photo2" and "photo2.noise" for further ones.
  std::string kind(size_t index, const std::string& of) const {
    if (index == 0) return of;
    return "photo" + std::to_string(index + 1) + (of.empty() ? "" : "." + of);
  }
  Tensor as_in_file(const Tensor& image) const;
  Tensor save_and_reload(const Tensor& image, const std::string& kind);
  SavedImages save(const Found& found, size_t index);
  std::string photo_name(size_t index) const;
  void describe_trial(const Found& found);
  void describe_defenses(const IdentifiedStack& stack);
  void measure_budgets(const Found& found, const std::vector<SavedImages>& saved);
  void measure_reading(const ReadBack& reading, const SavedImages& saved);
  bool ask_everything(const std::vector<SavedImages>& saved);
  /// other: the model that is asked in place of the trial's.
  Tally ask(const Tensor& image, const SavedImages& of, const Prompts& prompts, const std::string& condition,
            const std::string& split, const TransferModel* other = nullptr);
  /// What a reply says, judged.
  ReplyRow row_of(const Context& context, const Reply& answer, const Prompts& prompts) const;
  void ask_others(const SavedImages& saved);
  Prompts for_other(const TransferModel& other, const Prompts& prompts, const std::string& suffix) const;
  double test_loss(const Tensor& image, const Prompts& prompts) const;
  void measure_encoders(const std::vector<SavedImages>& saved);

  TrialParts parts_;
  const AttackConfig& config_;
  QuestionKeys keys_;
  Prompts plain_, attacked_, noisy_;
  std::string suffix_, noise_suffix_;
  std::vector<int64_t> surrogate_steps_;  ///< Found::surrogate_steps
  TrialRow row_;
  std::vector<ReplyRow> replies_;
};

Tensor Trial::as_in_file(const Tensor& image) const {
  return parts_.space.moving() ? move_patch(*parts_.space.moving(), image, parts_.space.place_in_attack,
                                            parts_.space.place_in_file, parts_.space.photos[0])
                               : image;
}

std::string Trial::photo_name(size_t index) const {
  const size_t trained = parts_.space.photos.size();
  return parts_.setup.plan.photo_name(index < trained ? config_.images[index]
                                                      : config_.held_out_images[index - trained]);
}

Tensor Trial::save_and_reload(const Tensor& image, const std::string& kind) {
  const std::string name = RunFolder::image_name(parts_.id(), kind);
  const auto file = parts_.folder.path() / name;
  save_png(image.cpu(), file);
  row_.files[name] = file_hash(file);
  return load_image(file).to(parts_.model.device());
}

SavedImages Trial::save(const Found& found, size_t index) {
  if (config_.images.empty()) return {index, {}, {}, {}};
  const auto write = [&](const Tensor& image, const std::string& of) {
    return save_and_reload(as_in_file(parts_.space.shown(image, photo(index))), kind(index, of));
  };
  SavedImages saved{index, save_and_reload(photo(index), kind(index, "origin")), write(found.image, ""),
                    write(found.noise, "noise")};
  TORCH_CHECK(at::equal(saved.origin, photo(index)), "the origin changed on its way through a PNG file");
  return saved;
}

void Trial::describe_trial(const Found& found) {
  const TrialPlan& plan = parts_.setup.plan;
  row_.id = parts_.id();
  row_.setting = plan.identity.setting;
  row_.setting_digest = plan.identity.setting_digest;
  row_.trial_digest = plan.identity.trial_digest;
  row_.reply_tokens = parts_.setup.reply_tokens;
  row_.sampling = config_.sampling.text();
  row_.model = plan.model_name(config_.model);
  if (!config_.victim.empty()) row_.model = config_.victim;
  for (const std::string& folder : config_.ensemble) row_.model += " + " + plan.model_name(folder);
  if (asks_nobody(config_))
    for (size_t i = 1; i < config_.surrogate.folders.size(); ++i)
      row_.model += " + " + plan.model_name(config_.surrogate.folders[i]);
  if (!config_.images.empty()) row_.source_image = photo_name(0);
  row_.behavior = config_.behavior.name;
  row_.target = config_.behavior.target;
  row_.constraint = found.constraint;
  row_.constraint_name = found.constraint_name;
  if (const auto* ball = std::get_if<LinfBall>(&found.budget)) row_.epsilon_255 = ball->epsilon * 255;
  if (const auto* patch = std::get_if<Patch>(&found.budget)) row_.patch_size = patch->size;
  if (parts_.space.moving()) row_.patch_size = parts_.space.moving()->size;
  row_.optimizer = found.optimizer;
  row_.suffix = found.suffix;
  describe_defenses(parts_.setup.defenses);
  row_.adaptive = config_.defense.adaptive;
  row_.seed = parts_.seed();
  row_.steps = found.steps;
  row_.best_step = found.best_step;
  row_.stopped = found.stopped;
  row_.query_score = parts_.setup.score;
  row_.idle_steps = found.idle_steps;
  row_.seconds_per_step = found.seconds_per_step;
  row_.seconds = found.seconds_per_step * static_cast<double>(found.steps);
  row_.losses = found.losses;
  if (config_.images.empty()) return;
  row_.image_file = RunFolder::image_name(row_.id);
  row_.origin_file = RunFolder::image_name(row_.id, "origin");
  row_.noise_file = RunFolder::image_name(row_.id, "noise");
}

void Trial::describe_defenses(const IdentifiedStack& stack) {
  row_.defense = stack.name();
  if (stack.defenses.empty()) return;
  row_.stack = {
      {"digest", stack.digest}, {"record", stack.record}, {"calibrations", calibration_entries(stack)}};
}

/// Every photo must keep to the budget; the row shows the largest changes.
void Trial::measure_budgets(const Found& found, const std::vector<SavedImages>& saved) {
  for (const SavedImages& one : saved) {
    if (!one.origin.defined()) continue;  // of a language model
    Budget budget = measure_budget(found.budget, one.adversarial, one.origin);
    budget.respected = budget.respected && budget.max_difference_255 <= found.most_levels + 1e-3;
    row_.budget.max_difference_255 = std::max(row_.budget.max_difference_255, budget.max_difference_255);
    row_.budget.changed_outside = std::max(row_.budget.changed_outside, budget.changed_outside);
    row_.budget.l2 = std::max(row_.budget.l2, budget.l2);
    row_.budget.respected = row_.budget.respected && budget.respected;
    row_.visibility =
        more_visible(row_.visibility, measure_visibility(parts_.model, one.adversarial, one.origin));
    if (!config_.universal) continue;
    PhotoRow photo_row;
    photo_row.held_out = one.photo >= parts_.space.photos.size();
    photo_row.source_image = photo_name(one.photo);
    photo_row.image_file = RunFolder::image_name(row_.id, kind(one.photo, ""));
    photo_row.budget = budget;
    row_.photos.push_back(photo_row);
  }
}

/// What the deployed resize makes of the saved file, beside what was wanted.
void Trial::measure_reading(const ReadBack& reading, const SavedImages& saved) {
  const at::NoGradGuard no_grad;
  const Tensor wanted = save_and_reload(reading.wanted, "wanted");
  const Tensor seen = save_and_reload(reading.read(saved.adversarial), "seen");
  const Tensor error = 255 * (seen - wanted).abs();
  const Tensor clean = 255 * (reading.read(saved.origin).to(wanted.device()) - wanted).abs();
  row_.read_back = {reading.reader,
                    error.mean().item<double>(),
                    error.max().item<double>(),
                    clean.mean().item<double>(),
                    RunFolder::image_name(row_.id, "seen"),
                    RunFolder::image_name(row_.id, "wanted")};
}

void add(Tally& sum, const Tally& tally) {
  sum.n += tally.n;
  sum.exact += tally.exact;
  sum.substring += tally.substring;
  sum.draws = tally.draws;
}

void Trial::measure_encoders(const std::vector<SavedImages>& saved) {
  if (parts_.setup.surrogates.empty()) return;
  std::vector<EncodedFiles> trained, held_out;
  for (const SavedImages& one : saved)
    (one.photo < parts_.space.photos.size() ? trained : held_out)
        .push_back({one.adversarial, one.origin, one.noise});
  row_.encoders = encoder_rows(parts_.setup, trained, "");
  for (size_t i = 0; i < surrogate_steps_.size(); ++i) row_.encoders.at(i).steps = surrogate_steps_[i];
  for (EncoderRow& row : encoder_rows(parts_.setup, held_out, "held-out")) row_.encoders.push_back(row);
}

/// False when stopped.
bool Trial::ask_everything(const std::vector<SavedImages>& saved) {
  const std::string attack = attack_condition(row_);
  row_.loss_clean = test_loss(saved[0].origin, plain_);
  row_.loss_saved = test_loss(saved[0].adversarial, attacked_);
  measure_encoders(saved);
  if (asks_nobody(config_)) return !parts_.hooks.stop.stop_requested();
  for (const SavedImages& one : saved) {
    if (one.photo >= parts_.space.photos.size()) {
      const Tally tally = ask(one.adversarial, one, attacked_, attack, "test");
      add(row_.success["held_out_photos"], tally);
      row_.photos[one.photo].test = tally;
      continue;
    }
    for (const char* split : {"train", "validation", "test"}) {
      const Tally tally = ask(one.adversarial, one, attacked_, attack, split);
      add(row_.success[split], tally);
      if (config_.universal && split == std::string("test")) row_.photos[one.photo].test = tally;
      if (parts_.hooks.stop.stop_requested()) return false;
    }
    add(row_.controls["clean"], ask(one.origin, one, plain_, "clean", "test"));
    add(row_.controls["noise"], ask(one.noise, one, noisy_, "noise", "test"));
    ask_others(one);
  }
  return !parts_.hooks.stop.stop_requested();
}

Prompts Trial::for_other(const TransferModel& other, const Prompts& prompts,
                         const std::string& suffix) const {
  Prompts its = prompts;
  its.behavior = other.behavior;
  if (!suffix.empty()) its.behavior = std::make_shared<SuffixedBehavior>(other.behavior, suffix);
  return its;
}

void Trial::ask_others(const SavedImages& saved) {
  for (const TransferModel& other : parts_.setup.transfer) {
    if (parts_.hooks.stop.stop_requested()) return;
    const Prompts attacked = for_other(other, attacked_, suffix_),
                  noisy = for_other(other, noisy_, noise_suffix_);
    auto& tallies = row_.transfer[other.name];
    add(tallies["attack"], ask(saved.adversarial, saved, attacked, "transfer", "test", &other));
    add(tallies["clean"],
        ask(saved.origin, saved, for_other(other, plain_, ""), "transfer_clean", "test", &other));
    add(tallies["noise"], ask(saved.noise, saved, noisy, "transfer_noise", "test", &other));
  }
}

ReplyRow Trial::row_of(const Context& context, const Reply& answer, const Prompts& prompts) const {
  ReplyRow reply;
  reply.trial = parts_.id();
  reply.context = context;
  reply.reply = answer.text;
  reply.rejected = answer.rejected;
  reply.trace = answer.trace;
  reply.cut = answer.cut;
  reply.sampling = row_.sampling;
  const Generated said{answer.text, answer.cut};
  reply.exact = !answer.rejected && prompts.behavior->succeeded(context, said);
  reply.substring = !answer.rejected && prompts.behavior->matches_substring(context, said);
  if (!prompts.contexts.targets.empty()) reply.target = prompts.behavior->target_for(context);
  return reply;
}

Tally Trial::ask(const Tensor& image, const SavedImages& of, const Prompts& prompts,
                 const std::string& condition, const std::string& split, const TransferModel* other) {
  const auto& contexts = prompts.contexts.split(split);
  const double start = parts_.seconds();
  const int64_t draws = split == "test" ? config_.sampling.samples : 1;
  const auto asked = with_draws(
      parts_.judge.submissions(image, of.origin, prompts, split, parts_.space.place_in_file), draws);
  const auto answers =
      pass_on(asked, other ? bare_model(other->model, parts_.setup.replies()) : parts_.judge.system());
  const double seconds =
      (parts_.seconds() - start) / static_cast<double>(std::max<size_t>(1, answers.size()));
  const bool held_out = of.photo >= parts_.space.photos.size();
  QuestionKeys keys = other ? QuestionKeys(other->folder, config_, parts_.setup.replies()) : keys_;
  Tally tally{.draws = draws};
  for (size_t i = 0; i < asked.size(); ++i) {
    const Context& context = contexts[i / static_cast<size_t>(draws)];
    ReplyRow reply = row_of(context, answers[i], prompts);
    reply.condition = condition;
    reply.split = held_out ? "held_out_photos" : split;
    reply.defense = other ? "none" : row_.defense;
    if (other) reply.model = other->name;
    reply.stack = other ? "" : parts_.setup.defenses.digest;
    reply.question = keys.of(asked[i], other ? IdentifiedStack{} : parts_.setup.defenses);
    reply.draw = static_cast<int64_t>(asked[i].draw);
    if (config_.universal) reply.photo = photo_name(of.photo);
    reply.seconds = seconds;
    ++tally.n;
    tally.exact += reply.exact;
    tally.substring += reply.substring;
    replies_.push_back(std::move(reply));
  }
  return tally;
}

double Trial::test_loss(const Tensor& image, const Prompts& prompts) const {
  const at::NoGradGuard no_grad;
  return parts_.objectives.over(prompts, prompts.seen_test, 0, true)
      ->comparable_loss(image)
      .mean()
      .item<double>();
}

}  // namespace

std::vector<Generated> replies_to(const VisionLanguageModel& model, const Tensor& image,
                                  const std::vector<Context>& contexts, int64_t max_new_tokens) {
  return replies_to(model, image, contexts, GenerateOptions{.max_new_tokens = max_new_tokens});
}

std::vector<Generated> replies_to(const VisionLanguageModel& model, const Tensor& image,
                                  const std::vector<Context>& contexts, const GenerateOptions& options) {
  const at::NoGradGuard no_grad;
  const Pixels pixels = model.preprocess(image);
  GenerateOptions some = options;
  std::vector<Generated> replies;
  for (size_t begin = 0; begin < contexts.size(); begin += kRepliesAtOnce) {
    const std::span<const Query> all(contexts);
    const auto batch = all.subspan(begin, std::min(kRepliesAtOnce, contexts.size() - begin));
    if (!options.seeds.empty()) {
      const auto first = options.seeds.begin() + static_cast<std::ptrdiff_t>(begin);
      some.seeds.assign(first, first + static_cast<std::ptrdiff_t>(batch.size()));
    }
    for (Generated& reply : model.generate(pixels, batch, some)) replies.push_back(std::move(reply));
  }
  return replies;
}

std::optional<TrialResult> run_trial(const TrialSetup& setup, const RunFolder& folder,
                                     const RunHooks& hooks) {
  return Trial(setup, folder, hooks).run();
}

void write_rows(const TrialResult& result, RunFolder& folder, const RunHooks& hooks) {
  folder.add_trial(result.row, result.replies);
  if (hooks.on_trial) hooks.on_trial(result.row);
}

}  // namespace hijack
