// Attacks that change no pixel by gradient: drawn text, and suffixes of the prompt.
#include <chrono>

#include "attacks/text/gcg.h"
#include "attacks/text/suffix.h"
#include "attacks/text/typographic.h"
#include "src/base/error.h"
#include "src/experiment/run/search.h"

namespace hijack {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_per(int64_t steps, Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count() /
         static_cast<double>(std::max<int64_t>(1, steps));
}

/// "text, low_contrast, 1/255 (model input space)"
std::string describe_text(const AttackConfig& config) {
  const TypographicConfig& text = config.typographic;
  return "text, " + text.style +
         (text.style == "low_contrast" ? ", " + std::to_string(text.contrast) + "/255" : "") +
         (config.space == "photo" ? " (photo space)" : " (model input space)");
}

}  // namespace

std::optional<Found> search_lettering(const TrialParts& parts) {
  const TypographicConfig& config = parts.config.typographic;
  const Prompts prompts = prompts_of(parts.setup);
  const auto& validation =
      prompts.contexts.validation.empty() ? prompts.contexts.train : prompts.contexts.validation;
  const std::string split = prompts.contexts.validation.empty() ? "train" : "validation";
  // A target with {context} in it is written with words that stand for the question.
  const std::string text = text_to_draw(config, *prompts.behavior, {.prompt = "your question"});
  const auto loss = parts.objectives.over(prompts, parts.objectives.asked(validation), 0, true);
  TypographicHooks hooks;
  hooks.stop = parts.hooks.stop;
  hooks.score = [&](const Tensor& image) {
    const at::NoGradGuard no_grad;
    const int64_t obeyed =
        successes(prompts, validation, parts.judge.replies(image, parts.space.photos[0], prompts, split, {}));
    return Score{static_cast<double>(obeyed) / static_cast<double>(validation.size()),
                 -loss->loss(image, 0).mean().item<double>()};
  };
  hooks.after_try = [&](int64_t tries, const Score& best) {
    parts.progress(tries, config.tries, -best.second, best.first);
  };
  const auto start = Clock::now();
  const auto result = typographic_attack(parts.space.photos[0], text, config, parts.seed(), hooks);
  if (!result) return std::nullopt;
  Found found;
  found.image = result->drawn.image;
  found.noise = draw_text(parts.space.photos[0], scrambled(text, parts.seed()), Font::from_file(config.font),
                          config, result->lettering)
                    .image;
  found.budget = result->drawn.mask;
  if (config.style == "low_contrast") found.most_levels = static_cast<double>(config.contrast);
  found.constraint_name = "text";
  found.constraint = describe_text(parts.config);
  found.optimizer = "typographic";
  found.losses = result->losses;
  found.steps = config.tries;
  found.best_step = result->best_try;
  found.seconds_per_step = seconds_per(config.tries, start);
  return found;
}

std::optional<Found> search_suffix(const TrialParts& parts) {
  const GcgConfig& config = parts.config.suffix;
  GcgHooks hooks;
  hooks.stop = parts.hooks.stop;
  hooks.note = [&](const std::string& text) { parts.note(text); };
  hooks.after_step = [&](int64_t step, double loss) { parts.progress(step, config.steps, loss, -1); };
  hooks.scorers = stack_prompt_scorers(parts.setup.defenses.defenses);
  const auto start = Clock::now();
  const GcgResult result = gcg_suffix(parts.model, parts.space.photos[0], parts.setup.contexts.train,
                                      *parts.setup.behavior, config, parts.seed(), hooks);
  if (parts.hooks.stop.stop_requested()) return std::nullopt;
  for (size_t step = 0; step < result.losses.size(); ++step)
    if (!std::isfinite(result.losses[step]))
      throw NotFinite("the loss of the suffix is not finite at step " + std::to_string(step));
  Found found;
  found.image = found.noise = parts.space.photos[0];
  found.suffix = result.suffix;
  found.noise_suffix = gibberish_suffix(parts.model.tokenizer(), config.tokens, parts.seed());
  found.budget = LinfBall{0};
  found.constraint_name = "suffix";
  found.constraint = "suffix of " + std::to_string(config.tokens) + " tokens" +
                     (found.image.defined() ? ", clean image" : "");
  found.optimizer = config.perplexity_weight > 0 ? "gcg (adaptive)" : "gcg";
  found.losses = result.losses;
  found.steps = static_cast<int64_t>(result.losses.size());
  const auto best = std::min_element(result.losses.begin(), result.losses.end());
  found.best_step = best == result.losses.end() ? 0 : best - result.losses.begin() + 1;
  found.seconds_per_step = seconds_per(found.steps, start);
  return found;
}

}  // namespace hijack
