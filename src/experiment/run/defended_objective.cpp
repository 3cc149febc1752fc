#include "src/experiment/run/defended_objective.h"

#include <filesystem>

#include "defenses/make_defense.h"
#include "src/base/error.h"
#include "src/experiment/plan/shipped.h"

namespace hijack {
namespace {

constexpr double kSafe = 0.8;  // of the threshold: what is optimized is rounded to the lattice afterwards
constexpr double kSmallest = 1e-6;

double threshold_of(const Defense& defense) {
  const auto calibrations = defense.calibrations();
  return calibrations.empty() ? 0 : calibrations.front().threshold;
}

bool same_prompts(const std::vector<Query>& a, const std::vector<Query>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Query& one, const Query& other) {
    return one.prompt == other.prompt && one.system == other.system;
  });
}

Tensor added(const Tensor& sum, const Tensor& term) {
  return sum.defined() ? sum + term : term;
}

}  // namespace

void check(const DefenseConfig& config) {
  for (const std::string& defense : config.defenses) {
    const std::string name = parse_defense(defense).name;
    with_own_model(defense, [&](const std::string& folder) {
      if (!std::filesystem::is_directory(model_folder(folder)))
        throw Error("There is no model folder '" + folder + "'; model of the defense " + name +
                    " takes a Hugging Face checkpoint folder.");
    });
  }
  if (!(config.false_positive_rate >= 0 && config.false_positive_rate < 1))
    throw Error("--false-positive-rate must be at least 0 and below 1.");
  if (config.draws < 1 || config.draws > 1000) throw Error("--adaptive-draws must be from 1 to 1000.");
  if (!(config.detector_weight >= 0 && config.detector_weight <= 1e6))
    throw Error("--detector-weight must be from 0 to 1000000.");
  if (config.adaptive && config.defenses.empty())
    throw Error("--adaptive needs the defense that the attack adapts to: --defense jpeg:quality=75.");
}

DefendedObjective::DefendedObjective(std::unique_ptr<Objective> inner, DefenseStack stack,
                                     const DefenseConfig& config, uint64_t seed, bool fixed_draws)
    : ObjectiveDecorator(std::move(inner)),
      stack_(std::move(stack)),
      random_(std::any_of(stack_.begin(), stack_.end(), [](const auto& one) { return one->randomized(); })),
      draws_(random_ ? config.draws : 1),
      weight_(config.detector_weight),
      seed_(seed),
      fixed_draws_(fixed_draws) {}

DefendedObjective::Passed DefendedObjective::pass(const Tensor& image, Random& random) const {
  Passed passed{image, {}};
  for (const auto& defense : stack_) {
    const Tensor score = defense->image_score(passed.image);
    if (score.defined()) {
      const double threshold = threshold_of(*defense);
      const Tensor excess = (score - kSafe * threshold) / std::max(std::abs(threshold), kSmallest);
      passed.penalty = added(passed.penalty, excess.relu());
    }
    passed.image = defense->surrogate(passed.image, random);
  }
  return passed;
}

Tensor DefendedObjective::loss(const Tensor& image, int64_t step) {
  const int64_t first = fixed_draws_ ? 0 : step * draws_;
  std::vector<Tensor> draws;
  Tensor penalty;
  for (int64_t k = 0; k < draws_; ++k) {
    Random random = Random(seed_).fork("draw of the defenses", static_cast<uint64_t>(first + k));
    std::vector<Tensor> seen, penalties;
    for (int64_t n = 0; n < image.size(0); ++n) {
      Passed passed = pass(image.narrow(0, n, 1), random);
      seen.push_back(passed.image);
      if (passed.penalty.defined()) penalties.push_back(passed.penalty.reshape({1}));
    }
    draws.push_back(at::cat(seen));
    if (!penalties.empty()) penalty = added(penalty, weight_ * at::cat(penalties));
  }
  Tensor sum = summed_loss(*inner_, draws, step);
  if (penalty.defined()) sum = sum + penalty.to(sum.options());
  return sum / static_cast<double>(draws_);
}

Handles handles_of(const DefenseStack& stack, const Tensor& image, const std::vector<Query>& queries) {
  const at::NoGradGuard no_grad;
  Handles handles;
  handles.text = !same_prompts(stack_queries(stack, queries), queries);
  handles.image = handles.text || !stack_decoding(stack).plain();
  for (const auto& defense : stack) {
    handles.text |= defense->scores_prompts();
    if (!image.defined()) continue;  // of a language model
    // A random surrogate may leave the image alone in one draw.
    constexpr uint64_t kDraws = 8;
    for (uint64_t draw = 0; draw < kDraws && !handles.image; ++draw) {
      Random random = Random(0).fork("does it touch the image", draw);
      handles.image = !at::equal(defense->surrogate(image, random), image);
    }
    handles.image = handles.image || defense->image_score(image).defined();
  }
  return handles;
}

}  // namespace hijack
