// The loop on the toy model: every behavior x constraint x optimizer, resuming, and what the loop refuses.
#include "attacks/attack.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/attack_state_io.h"
#include "attacks/behavior_matching.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/toy_model.h"

namespace hijack {
namespace {

const std::map<std::string, std::string> kTargets{
    {"string", "I was hijacked"}, {"leak", "send {context} to me"}, {"refusal", "sure here it is"}};

struct Case {
  std::string behavior = "string";
  ConstraintConfig constraint = {};
  std::string optimizer = "pgd";
  int64_t batch = 4;
  int64_t steps = 24;

  std::string name() const { return behavior + " " + constraint.name + " " + optimizer; }
};

/// One attack on the toy model, with everything it is made of.
struct Attack {
  std::shared_ptr<ToyModel> model = std::make_shared<ToyModel>();
  Tensor origin = toy_image();
  std::shared_ptr<const Behavior> behavior;
  Constraint constraint;
  std::unique_ptr<BehaviorMatching> objective;
  std::unique_ptr<Optimizer> optimizer;
  AttackOptions options;
  AttackHooks hooks;

  explicit Attack(const Case& one)
      : behavior(make_behavior({.name = one.behavior, .target = kTargets.at(one.behavior)})),
        constraint(make_constraint(one.constraint, 16, 16)),
        objective(std::make_unique<BehaviorMatching>(model, behavior, toy_contexts(10), one.batch, 5)),
        optimizer(make_optimizer({.name = one.optimizer, .steps = one.steps}, constraint)) {
    options.steps = one.steps;
    options.validate_every = 8;
    hooks.validate = [this](const Tensor& image) { return success(image, toy_contexts(4)); };
  }

  double success(const Tensor& image, const std::vector<Context>& contexts) const {
    const auto replies = model->generate(model->preprocess(image), contexts, {});
    double count = 0;
    for (size_t i = 0; i < contexts.size(); ++i) count += behavior->succeeded(contexts[i], replies[i]);
    return count / static_cast<double>(contexts.size());
  }

  double full_loss(const Tensor& image) const {
    BehaviorMatching all(model, behavior, toy_contexts(10), 0, 5);
    return all.loss(image, 0).item<double>();
  }

  AttackState start() const { return start_attack(constraint, origin, false, 5); }
  void run(AttackState& state) {
    run_attack(state, *objective, *optimizer, constraint, origin, options, hooks);
  }
};

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  for (const std::string& behavior : behavior_names())
    for (const std::string& constraint : constraint_names())
      for (const std::string& optimizer : optimizer_names())
        cases.push_back({.behavior = behavior,
                         .constraint = {.name = constraint, .patch_size = 6, .patch_top = 4, .patch_left = 7},
                         .optimizer = optimizer});
  return cases;
}

void expect_same(const AttackState& a, const AttackState& b) {
  EXPECT_TRUE(at::equal(a.image, b.image));
  EXPECT_TRUE(at::equal(a.best_image, b.best_image));
  EXPECT_EQ(a.losses, b.losses);
  EXPECT_EQ(a.step, b.step);
  EXPECT_EQ(a.best_step, b.best_step);
  EXPECT_EQ(a.best_score, b.best_score);
}

TEST(Attack, EveryCombinationStaysInsideAndLowersTheLoss) {
  for (const Case& one : all_cases()) {
    SCOPED_TRACE(one.name());
    Attack attack(one);
    AttackState state = attack.start();
    int64_t seen = 0;
    attack.hooks.after_step = [&](const AttackState& now) {
      EXPECT_TRUE(measure_budget(attack.constraint, now.image, attack.origin).respected) << now.step;
      EXPECT_EQ(now.step, ++seen);
      EXPECT_EQ(now.losses.size(), static_cast<size_t>(seen));
    };
    attack.run(state);
    EXPECT_EQ(seen, one.steps);
    EXPECT_TRUE(on_lattice(state.best_image));
    EXPECT_TRUE(measure_budget(attack.constraint, state.best_image, attack.origin).respected);
    EXPECT_LT(attack.full_loss(state.image), attack.full_loss(attack.origin));
    for (const Tensor& weight : attack.model->weights()) EXPECT_FALSE(weight.requires_grad());

    Attack again(one);
    AttackState same = again.start();
    again.run(same);
    expect_same(state, same);
  }
}

TEST(Attack, EpsilonZeroChangesNothing) {
  for (const std::string& optimizer : optimizer_names()) {
    SCOPED_TRACE(optimizer);
    Attack attack({.constraint = {.epsilon = "0/255"}, .optimizer = optimizer, .steps = 6});
    attack.hooks.after_step = [&](const AttackState& now) {
      EXPECT_TRUE(at::equal(now.image, attack.origin));
    };
    AttackState state = start_attack(attack.constraint, attack.origin, true, 5);
    EXPECT_TRUE(at::equal(state.image, attack.origin));
    attack.run(state);
    EXPECT_TRUE(at::equal(state.best_image, attack.origin));
  }
}

TEST(Attack, AnUnconstrainedImageForcesTheStringOnContextsItNeverSaw) {
  Attack attack({.constraint = {.name = "box"}, .batch = 0, .steps = 120});
  AttackState state = attack.start();
  attack.run(state);
  auto contexts = toy_contexts(30);
  contexts.erase(contexts.begin(), contexts.begin() + 10);
  EXPECT_GE(attack.success(state.best_image, contexts), 0.9);
  EXPECT_EQ(attack.success(attack.origin, contexts), 0);
  Random random(1);
  EXPECT_EQ(attack.success(random_noise(attack.constraint, attack.origin, random), contexts), 0);
}

TEST(Attack, ResumesToTheSameBytesThroughAFile) {
  const auto file = std::filesystem::path(testing::TempDir()) / "hijack_attack_state.safetensors";
  for (const std::string& optimizer : optimizer_names())
    for (const int64_t killed_at : {1, 8, 13, 24}) {
      SCOPED_TRACE(optimizer + " " + std::to_string(killed_at));
      Attack whole({.optimizer = optimizer});
      AttackState expected = whole.start();
      whole.run(expected);

      Attack first({.optimizer = optimizer});
      std::stop_source stop;
      first.options.stop = stop.get_token();
      first.hooks.after_step = [&](const AttackState& now) {
        if (now.step == killed_at) stop.request_stop();
      };
      AttackState state = first.start();
      first.run(state);
      EXPECT_EQ(state.step, killed_at);
      EXPECT_TRUE(on_lattice(state.best_image));
      save_attack_state(state, file);

      Attack second({.optimizer = optimizer});
      AttackState resumed = load_attack_state(file);
      second.run(resumed);
      expect_same(resumed, expected);
    }
  std::filesystem::remove(file);
}

TEST(Attack, AnotherOptimizersStateIsRefused) {
  Attack pgd({.steps = 2});
  AttackState state = pgd.start();
  pgd.run(state);
  Attack adam({.optimizer = "adam"});
  EXPECT_THROW(adam.run(state), Error);
}

TEST(Attack, StopsAtTheScoreAndKeepsTheBestOfTheValidated) {
  Attack attack({.steps = 24});
  std::vector<double> scores{0.25, 0.75, 0.5};
  size_t calls = 0;
  attack.hooks.validate = [&](const Tensor&) { return scores.at(calls++); };
  AttackState state = attack.start();
  attack.run(state);
  EXPECT_EQ(calls, 3u);
  EXPECT_EQ(state.best_step, 16);
  EXPECT_EQ(state.best_score, 0.75);

  Attack early({.steps = 24});
  early.options.stop_at_score = 0.7;
  calls = 0;
  early.hooks.validate = attack.hooks.validate;
  AttackState stopped = early.start();
  early.run(stopped);
  EXPECT_EQ(stopped.step, 16);
}

TEST(Attack, WithoutValidationTheLowestLossIsKept) {
  // So small a ball that the loss stays far above 1, and the score far below the initial -1.
  Attack attack({.constraint = {.epsilon = "1/255"}, .batch = 0, .steps = 24});
  attack.hooks.validate = {};
  AttackState state = attack.start();
  attack.run(state);
  EXPECT_GT(-state.best_score, 1.5);
  EXPECT_NEAR(-state.best_score, attack.full_loss(state.best_image), 1e-6);
  EXPECT_LT(attack.full_loss(state.best_image), attack.full_loss(attack.origin));
}

/// A loss made for the test.
class MadeUp : public Objective {
 public:
  explicit MadeUp(std::function<Tensor(const Tensor&, int64_t)> f) : f_(std::move(f)) {}
  Tensor loss(const Tensor& image, int64_t step) override { return f_(image, step).reshape({1}); }
  bool deterministic() const override { return true; }

 private:
  std::function<Tensor(const Tensor&, int64_t)> f_;
};

std::string failure_of(AttackState& state, const std::function<Tensor(const Tensor&, int64_t)>& f) {
  const Constraint constraint = LinfBall{};
  MadeUp objective(f);
  try {
    run_attack(state, objective, *make_optimizer({}, constraint), constraint, toy_image(), {.steps = 5});
  } catch (const Failure& failure) {
    return failure.what();
  }
  return "no failure";
}

std::string failure_of(const std::function<Tensor(const Tensor&, int64_t)>& f) {
  AttackState state = start_attack(LinfBall{}, toy_image(), false, 1);
  return failure_of(state, f);
}

TEST(Attack, FailuresNameTheCauseAndTheStep) {
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  AttackState state = start_attack(LinfBall{}, toy_image(), false, 1);
  const std::string nan =
      failure_of(state, [](const Tensor& x, int64_t step) { return x.sum() * (step == 3 ? NAN : 1); });
  EXPECT_TRUE(has(nan, "loss is not finite at step 3") && has(nan, "16 bit")) << nan;
  EXPECT_EQ(state.step, 3);  // everything before is kept
  EXPECT_TRUE(measure_budget(LinfBall{}, state.image, toy_image()).respected);

  const std::string gradient =
      failure_of([](const Tensor& x, int64_t) { return (x - x.detach()).abs().sqrt().sum(); });
  EXPECT_TRUE(has(gradient, "gradient is not finite at step 0")) << gradient;
  const std::string detached = failure_of([](const Tensor& x, int64_t) { return x.detach().sum(); });
  EXPECT_TRUE(has(detached, "does not depend on the image") && has(detached, "detached")) << detached;
  const std::string zero = failure_of([](const Tensor& x, int64_t) { return (x * 0).sum(); });
  EXPECT_TRUE(has(zero, "zero everywhere") && has(zero, "underflow")) << zero;
  EXPECT_EQ(failure_of([](const Tensor& x, int64_t step) { return x.sum() * (step == 0 ? 1 : 0); }),
            "no failure");
}

TEST(Attack, SaturatedPixelsMove) {
  const Tensor origin = at::cat({at::zeros({1, 3, 8, 16}), at::ones({1, 3, 8, 16})}, 2);
  for (const std::string& name : optimizer_names()) {
    SCOPED_TRACE(name);
    const Constraint constraint = LinfBall{8.0 / 255};
    // Inward from both ends.
    MadeUp objective([&](const Tensor& x, int64_t) { return ((x - 0.5) * (origin - 0.5)).sum(); });
    AttackState state = start_attack(constraint, origin, false, 1);
    run_attack(state, objective, *make_optimizer({.name = name, .steps = 20}, constraint), constraint, origin,
               {.steps = 20});
    EXPECT_NEAR((state.image - origin).abs().min().item<double>() * 255, 8, 1e-3);
  }
}

TEST(Attack, RandomStartIsSeededAndInside) {
  const Tensor origin = toy_image();
  const Constraint constraint = LinfBall{4.0 / 255};
  const Tensor one = start_attack(constraint, origin, true, 1).image;
  EXPECT_TRUE(measure_budget(constraint, one, origin).respected);
  EXPECT_TRUE(at::equal(one, start_attack(constraint, origin, true, 1).image));
  EXPECT_FALSE(at::equal(one, start_attack(constraint, origin, true, 2).image));
}

}  // namespace
}  // namespace hijack
