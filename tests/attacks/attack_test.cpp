// The loop on the toy model: resuming, choosing, restarts, and what the loop refuses.
#include "attacks/attack.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/loop/attack_state_io.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/toy_attack.h"

namespace hijack::attack_test {
namespace {

using Attack = ToyAttack;

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
  for (const std::string& optimizer : optimizer_names()) {
    Attack whole({.optimizer = optimizer, .steps = 16});
    whole.options.restarts = 1;
    AttackState expected = whole.start();
    whole.run(expected);
    EXPECT_EQ(expected.step, 32);
    for (const int64_t killed_at : {1, 8, 13, 16, 23, 32}) {
      SCOPED_TRACE(optimizer + " " + std::to_string(killed_at));
      Attack first({.optimizer = optimizer, .steps = 16});
      first.options.restarts = 1;
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

      Attack second({.optimizer = optimizer, .steps = 16});
      second.options.restarts = 1;
      AttackState resumed = load_attack_state(file);
      second.run(resumed);
      expect_same(resumed, expected);
    }
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

/// The score is then -loss, here a cross-entropy of several nats, and no success rate.
TEST(Attack, WithoutValidationNoScoreIsGoodEnough) {
  Attack attack({.behavior = "untargeted", .batch = 0, .steps = 24});
  attack.hooks.validate = {};
  attack.options.stop_at_score = 1;
  AttackState state = attack.start();
  attack.run(state);
  EXPECT_GT(state.best_score, 1) << "otherwise this test shows nothing";
  EXPECT_EQ(state.step, 24);
}

TEST(Attack, RestartsBeginAtRandomPointsAndTheBestOfAllIsKept) {
  Attack attack({.batch = 0, .steps = 8});
  attack.options.restarts = 2;
  attack.options.validate_every = 0;
  attack.options.seed = 3;
  std::vector<Tensor> candidates;
  attack.hooks.validate = [&](const Tensor& image) {
    candidates.push_back(image);
    return std::array{0.25, 0.75, 0.5}.at(candidates.size() - 1);
  };
  AttackState state = attack.start();
  attack.run(state);
  EXPECT_EQ(state.step, 24);
  EXPECT_EQ(state.best_step, 16);
  EXPECT_TRUE(at::equal(state.best_image, candidates.at(1)));
  EXPECT_EQ(std::set<double>({state.losses[0], state.losses[8], state.losses[16]}).size(), 3u);
  EXPECT_GT(state.losses[16], state.losses[15]) << "a random point is worse than where the last start ended";

  Attack other({.batch = 0, .steps = 8});
  other.options.restarts = 1;
  other.options.seed = 4;
  AttackState reseeded = other.start();
  other.run(reseeded);
  EXPECT_EQ(reseeded.losses[7], state.losses[7]);
  EXPECT_NE(reseeded.losses[8], state.losses[8]);
}

TEST(Attack, StopsAtTheFirstImageBelowTheLossAndKeepsIt) {
  Attack attack({.constraint = {.name = "box"}, .batch = 0, .steps = 120});
  attack.options.stop_loss = 1;
  attack.options.validate_every = 0;
  attack.options.restarts = 3;
  AttackState state = attack.start();
  attack.run(state);
  EXPECT_LT(state.step, 120);
  EXPECT_LT(attack.full_loss(state.image), 1);
  EXPECT_GE(*std::min_element(state.losses.begin(), state.losses.end()), 1);
  EXPECT_TRUE(at::equal(state.best_image, project_to_lattice(attack.constraint, state.image, attack.origin)));
  EXPECT_EQ(state.best_step, state.step);
}

TEST(Attack, ApgdHandsOverTheBestPointItHasSeen) {
  Attack attack({.optimizer = "apgd", .steps = 30});
  attack.hooks.validate = {};
  AttackState state = attack.start();
  attack.run(state);
  const double lowest = *std::min_element(state.losses.begin(), state.losses.end());
  EXPECT_LT(lowest, state.losses.front());
  EXPECT_NEAR(attack.full_loss(state.best_image), lowest, 0.02)
      << "rounding to the lattice moves it a little";
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
  EXPECT_EQ(nan, "the loss is not finite at step 3");  // why, only the model can tell: models/not_finite.h
  EXPECT_EQ(state.step, 3);                            // everything before is kept
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
    if (!make_optimizer({.name = name}, constraint)->uses_gradient()) continue;
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
}  // namespace hijack::attack_test
