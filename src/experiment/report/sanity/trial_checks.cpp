#include "src/experiment/report/aggregate/encoders.h"
#include "src/experiment/report/sanity/checks.h"
#include "src/experiment/report/values/statistics.h"
#include "src/experiment/report/values/text.h"

namespace hijack::sanity {
namespace {

using namespace report;

double rate(const Tally& tally) {
  return tally.n ? static_cast<double>(tally.exact) / static_cast<double>(tally.n) : 0;
}
Interval interval(const Tally& tally) {
  return rate_of(tally).interval();
}

void check_budget(const TrialRef& ref, Flags& flags) {
  const Budget& budget = ref.trial->budget;
  if (budget.respected) return;
  flags.push_back(
      {"budget violated", Severity::failure, ref.label,
       "The saved image, loaded again, differs from the origin by " + decimal(budget.max_difference_255) +
           "/255 and changes " + decimal(budget.changed_outside) + " pixels where " + ref.trial->constraint +
           " allows none; its successes count as failures.",
       "Run the trial again; if it repeats, report a bug: every saved image should be projected to "
       "the lattice inside the allowed set."});
}

void check_losses(const TrialRef& ref, Flags& flags) {
  const std::vector<double>& losses = ref.trial->losses;
  const auto bad =
      std::find_if(losses.begin(), losses.end(), [](double loss) { return !std::isfinite(loss); });
  if (bad != losses.end()) {
    flags.push_back({"loss not finite", Severity::failure, ref.label,
                     "The training loss is NaN or infinite at step " + std::to_string(bad - losses.begin()) +
                         ": it guides the search no longer.",
                     "Use --dtype float32, a smaller step size, or a target that the model can say."});
    return;
  }
  if (losses.size() < 8) return;
  const auto quarter = static_cast<std::ptrdiff_t>(losses.size() / 4);
  const double first = median(std::span(losses.begin(), losses.begin() + quarter));
  const double last = median(std::span(losses.end() - quarter, losses.end()));
  // An attack that is done within the first quarter has nothing left to lower.
  constexpr double kDone = 0.05;
  if (std::min(first, losses.front()) <= kDone || last < 0.98 * std::max(first, losses.front())) return;
  const bool constant =
      std::all_of(losses.begin(), losses.end(), [&](double loss) { return loss == losses[0]; });
  flags.push_back({"loss did not fall", Severity::warning, ref.label,
                   "The median loss is " + decimal(first) + " in the first quarter of the steps and " +
                       decimal(last) + " in the last" +
                       (constant ? ", without any change: the gradient is zero" : "") +
                       ". A failure of this attack says nothing about the model.",
                   "Check the gradient (hijack trace): a detached vision tower, underflow in 16 bit (--dtype "
                   "float32), saturated pixels, or a step size that is far too small or too large."});
}

void check_convergence(const TrialRef& ref, Flags& flags) {
  const std::vector<double>& losses = ref.trial->losses;
  const Tally test = counted(*ref.trial, "test");
  constexpr double kGoodEnough = 0.95, kSignificant = -3, kOfLevel = 0.05, kOfFall = 0.02;
  const bool finite =
      std::all_of(losses.begin(), losses.end(), [](double loss) { return std::isfinite(loss); });
  constexpr size_t kFewest = 10, kShortest = 5;  // steps, and those of the tail
  if (losses.size() < kFewest || !finite || test.n == 0 || rate(test) >= kGoodEnough) return;
  const std::span<const double> tail = std::span(losses).last(std::max(kShortest, losses.size() / 5));
  const Trend trend = linear_trend(tail);
  const double level = mean(tail);
  const double gain = -trend.slope * static_cast<double>(tail.size());
  if (level <= 0 || gain < kOfLevel * level || gain < kOfFall * (losses.front() - level) ||
      trend.slope > kSignificant * trend.standard_error)
    return;
  flags.push_back({"not converged", Severity::warning, ref.label,
                   "Over the last " + std::to_string(tail.size()) + " of the " +
                       std::to_string(losses.size()) + " steps the loss still fell by " +
                       percent(gain / level) + " of its level: the success of " +
                       counted_text(test.exact, test.n) + " is a lower bound.",
                   "Repeat with twice the steps; report it only when success no longer changes."});
}

void check_controls(const TrialRef& ref, Flags& flags) {
  if (asked_nobody(*ref.trial)) return;  // its controls stand in the rows of the encoders
  const Tally attack = counted(*ref.trial, "test"), noise = control(*ref.trial, "noise"),
              clean = control(*ref.trial, "clean");
  if (noise.n == 0 || clean.n == 0)
    flags.push_back({"no control", Severity::warning, ref.label,
                     std::string(clean.n   ? "Random noise"
                                 : noise.n ? "The clean image"
                                           : "Neither the clean image nor random noise") +
                         (clean.n || noise.n ? " was not measured" : " was measured") +
                         ", so the success cannot be ascribed to the optimization.",
                     "Run the trial with its controls."});
  if (noise.n && noise.exact > 0 && interval(attack).low <= interval(noise).high)
    flags.push_back(
        {"noise succeeds", Severity::warning, ref.label,
         "Random noise at the same budget succeeds in " + counted_text(noise.exact, noise.n) +
             ", the attack in " + counted_text(attack.exact, attack.n) + ": the two cannot be told apart.",
         "Use a target that the model does not say by itself, more test contexts, or a larger budget."});
  constexpr double kSome = 0.05;
  if (clean.n && rate(clean) > kSome)
    flags.push_back(
        {"clean image obeys", Severity::warning, ref.label,
         "With the unchanged image the model already shows the behavior in " +
             counted_text(clean.exact, clean.n) + ".",
         "Choose another target or other contexts; subtract this rate when you quote the result."});
}

/// Where random noise had no choice (a text whose letters are all the same): the attack is no better than
/// itself.
void check_noise(const TrialRef& ref, Flags& flags) {
  const TrialRow& trial = *ref.trial;
  const auto noise = trial.files.find(trial.noise_file), image = trial.files.find(trial.image_file);
  const bool only_text = trial.constraint_name == "suffix";  // the control is another suffix
  if (only_text || trial.budget.max_difference_255 < 1 || noise == trial.files.end() ||
      image == trial.files.end() || noise->second != image->second)
    return;
  flags.push_back(
      {"no control", Severity::warning, ref.label,
       "The control image is, byte for byte, the attack's own: what the attack adds to chance was "
       "not measured.",
       "Draw a text whose letters can stand in another order, or take another seed."});
}

/// A saved file differs by whole steps of 1/255 or not at all.
void check_change(const TrialRef& ref, Flags& flags) {
  const TrialRow& trial = *ref.trial;
  const bool only_text = trial.constraint_name == "suffix";  // the clean photo is shown on purpose
  if (only_text || trial.budget.max_difference_255 >= 1) return;
  const bool no_room = trial.epsilon_255 > 0 && trial.epsilon_255 < 1;
  flags.push_back({"change below 1/255", Severity::warning, ref.label,
                   "The saved image is the clean one: no pixel differs by a whole step of 1/255" +
                       std::string(no_room ? ", and " + trial.constraint + " allows none" : "") +
                       ". Its replies say nothing about the attack.",
                   no_room ? "Use an epsilon of at least 1/255: images are saved with 8 bits."
                           : "Check the step size and the steps: the attack has not moved the image."});
}

}  // namespace

void check_trial(const TrialRef& ref, Flags& flags) {
  check_budget(ref, flags);
  check_change(ref, flags);
  check_losses(ref, flags);
  check_convergence(ref, flags);
  check_controls(ref, flags);
  check_noise(ref, flags);
}

}  // namespace hijack::sanity
