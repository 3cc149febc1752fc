#include "src/experiment/report/aggregate/differences.h"
#include "src/experiment/report/sanity/checks.h"
#include "src/experiment/report/values/text.h"

namespace hijack::sanity {
namespace {

using namespace report;

/// The held-out success; n = 0 where it was not measured.
Rate test_of(const Setting& setting) {
  return exact_of(setting.success, "test");
}

bool same_columns(const Setting& a, const Setting& b) {
  return a.model == b.model && a.behavior == b.behavior && a.defense == b.defense && a.adaptive == b.adaptive;
}

/// How large the ball is; 0 where a larger size does not allow all that a smaller one does.
double ball_size(const Setting& setting) {
  if (setting.constraint_name == "linf") return setting.epsilon_255;
  return setting.constraint_name == "l2" ? std::max(0.0, constraint_size(setting.constraint)) : 0;
}

/// Nothing differs but the size of the ball.
bool differ_in_size(const Setting& a, const Setting& b) {
  if (!same_columns(a, b) || a.optimizer != b.optimizer || a.constraint_name != b.constraint_name)
    return false;
  Object first = a.fields, second = b.fields;
  for (Object* fields : {&first, &second})
    for (const char* size : {"epsilon", "l2_radius"})
      if (fields->is_object()) fields->erase(size);
  return first == second;
}

void check_monotone(const std::vector<Setting>& all, Flags& flags) {
  for (const Setting& larger : all) {
    for (const Setting& smaller : all) {
      if (!(ball_size(larger) > ball_size(smaller)) || !(ball_size(smaller) > 0)) continue;
      const Rate a = test_of(larger), b = test_of(smaller);
      if (!differ_in_size(larger, smaller) || !a.n || !b.n || a.interval().high >= b.interval().low) continue;
      flags.push_back({"epsilon not monotone", Severity::warning, larger.trials.front().label,
                       larger.behavior + ": " + counted_text(a) + " at " + setting_label(larger) + ", but " +
                           counted_text(b) + " at " + setting_label(smaller) +
                           ". Every image allowed by the smaller set is allowed by the larger one.",
                       "The optimizer fails at the larger epsilon: lower the step size or raise the steps."});
    }
  }
}

void check_unconstrained(const std::vector<Setting>& all, Flags& flags) {
  constexpr double kExpected = 0.9;
  for (const Setting& setting : all) {
    const Rate test = test_of(setting);
    if (setting.constraint_name != "box" || !test.n || test.value() >= kExpected) continue;
    flags.push_back({"unconstrained fails", Severity::warning, setting.trials.front().label,
                     "An unconstrained image should succeed nearly always, but reaches " +
                         counted_text(test) + " (" + setting.behavior + ", " + setting_label(setting) +
                         "): the optimization is too weak to judge smaller sets by it.",
                     "Raise the steps or change the step size before trusting the other rows."});
  }
}

bool is_black_box(const Setting& setting) {
  return setting.optimizer == "square" || setting.optimizer.ends_with("(RGF)");
}

/// Both are to do the same, whatever they do it with.
bool same_task(const Setting& a, const Setting& b) {
  constexpr std::array kTask = {"model_sha256",    "ensemble_sha256", "target",     "targets_sha256",
                                "contexts_sha256", "train",           "test",       "space",
                                "method",          "universal",       "patch_size", "max_new_tokens",
                                "photos_sha256",   "protocol"};
  return same_columns(a, b) && a.constraint == b.constraint &&
         std::all_of(kTask.begin(), kTask.end(), [&](const char* field) {
           return field_of(a.fields, field) == field_of(b.fields, field);
         });
}

void check_black_box(const std::vector<Setting>& all, Flags& flags) {
  for (const Setting& black : all) {
    for (const Setting& white : all) {
      if (!is_black_box(black) || is_black_box(white) || !same_task(black, white)) continue;
      const Rate a = test_of(black), b = test_of(white);
      if (!a.n || !b.n || a.interval().low <= b.interval().high) continue;
      flags.push_back(
          {"black box is stronger", Severity::warning, white.trials.front().label,
           black.behavior + " at " + black.constraint + ": " + counted_text(a) + " without gradients (" +
               black.optimizer + "), " + counted_text(b) + " with them (" + white.optimizer +
               "). The gradient is masked or the optimizer fails.",
           "Check the gradient (hijack trace) and the step size before trusting the smaller number."});
    }
  }
}

void check_images(const Setting& setting, Flags& flags) {
  std::map<std::string, const TrialRef*> first;
  for (const TrialRef& ref : setting.trials) {
    const std::string key = image_key(*ref.trial);
    if (key.empty()) continue;
    const auto [found, fresh] = first.emplace(key, &ref);
    if (fresh) continue;
    flags.push_back(
        {"identical images", Severity::warning, ref.label,
         "Its adversarial image is, byte for byte, that of " + found->second->label +
             ": the two are one result, and count as one.",
         "Seeds differ only where something is drawn: use --random-start, --batch smaller than the "
         "training contexts, or other photos."});
  }
}

void check_seeds(const std::vector<Setting>& all, Flags& flags) {
  constexpr size_t kEnough = 3;
  size_t few = 0;
  for (const Setting& setting : all) few += setting.seed_rates.size() < kEnough;
  if (!few) return;
  flags.push_back(
      {"few seeds", Severity::information, "",
       std::to_string(few) + " of " + std::to_string(all.size()) +
           (all.size() == 1 ? " setting has" : " settings have") +
           " fewer than three seeds: the intervals cover the contexts, not the luck of the optimization.",
       "Give --seed 0 1 2 (or a grid with three seeds)."});
}

}  // namespace

void check_settings(const std::vector<Setting>& all, Flags& flags) {
  check_monotone(all, flags);
  check_unconstrained(all, flags);
  check_black_box(all, flags);
  for (const Setting& setting : all) check_images(setting, flags);
  check_seeds(all, flags);
}

}  // namespace hijack::sanity
