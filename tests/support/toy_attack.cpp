#include "tests/support/toy_attack.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace hijack {
namespace {

constexpr int64_t kPlaces = 8;
constexpr int64_t kLongest = 10;

std::string target_of(const std::string& behavior) {
  static const std::map<std::string, std::string> targets{{"string", "I was hijacked"},
                                                          {"leak", "send {context} to me"},
                                                          {"refusal", "sure here it is"},
                                                          {"disinformation", "yes"}};
  const auto found = targets.find(behavior);
  return found == targets.end() ? "" : found->second;
}

}  // namespace

std::shared_ptr<const Behavior> toy_behavior(const ToyCase& one) {
  std::shared_ptr<Behavior> behavior =
      make_behavior({.name = one.behavior, .target = target_of(one.behavior), .targets = one.targets});
  behavior->prepare(ToyModel(), toy_image(), toy_contexts(30), kLongest);
  return behavior;
}

ToyAttack::ToyAttack(const ToyCase& one)
    : behavior(one.prepared ? one.prepared : toy_behavior(one)),
      constraint(make_constraint(one.constraint, 16, 16)),
      optimizer(make_optimizer({.name = one.optimizer, .steps = one.steps}, constraint)) {
  ObjectiveInputs inputs{.models = {model},
                         .behavior = behavior,
                         .contexts = toy_contexts(10),
                         .origin = origin,
                         .batch = optimizer->needs_deterministic_objective() ? 0 : one.batch,
                         .seed = 5,
                         .max_new_tokens = kLongest,
                         .encoders = {encoder_of(model)}};
  const ObjectiveConfig config{.formula = one.objective, .feature_image = one.picture};
  objective = make_objective(config, inputs);
  inputs.batch = 0;
  all_contexts = make_objective(config, inputs);
  if (const auto* patch = std::get_if<MovingPatch>(&constraint))
    objective = std::make_unique<MovingPatchObjective>(std::move(objective), *patch, origin, 5);
  options.steps = one.steps;
  options.validate_every = 8;
  hooks.validate = [this](const Tensor& image) { return success(image, toy_contexts(4)); };
}

double ToyAttack::success(const Tensor& image, const std::vector<Context>& contexts) const {
  const auto replies = model->generate(model->preprocess(image), contexts, {.max_new_tokens = kLongest});
  double count = 0;
  for (size_t i = 0; i < contexts.size(); ++i) count += behavior->succeeded(contexts[i], replies[i]);
  return count / static_cast<double>(contexts.size());
}

double ToyAttack::full_loss(const Tensor& image) const {
  const at::NoGradGuard no_grad;
  const auto* patch = std::get_if<MovingPatch>(&constraint);
  if (!patch) return all_contexts->loss(image, 0).item<double>();
  double sum = 0;
  for (int64_t i = 0; i < kPlaces; ++i) {
    const Location to = draw_location(*patch, origin, 77, "places of a test", i);
    const Tensor moved = move_patch(*patch, image, {patch->top, patch->left}, to, origin);
    sum += all_contexts->loss(moved, 0).item<double>();
  }
  return sum / kPlaces;
}

void ToyAttack::run(AttackState& state) {
  run_attack(state, *objective, *optimizer, constraint, origin, options, hooks);
}

void expect_same(const AttackState& a, const AttackState& b) {
  EXPECT_TRUE(at::equal(a.image, b.image));
  EXPECT_TRUE(at::equal(a.best_image, b.best_image));
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.best_step, b.best_step);
  EXPECT_EQ(a.best_score, b.best_score);
}

}  // namespace hijack
