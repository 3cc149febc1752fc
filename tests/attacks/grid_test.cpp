// The grid on the toy model: every behavior x constraint x optimizer x objective. A new name of a table is
// tested here by itself; a new constraint needs its numbers in `sized`, a new objective a formula in
// `kFormulas`.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_attack.h"

namespace hijack::grid_test {
namespace {

/// Beside the objective that each behavior chooses, tried with behavior string.
constexpr const char* kFormulas[] = {"margin", "features", "features_squared + 0.5*behavior",
                                     "embedding + 0.2*transport"};

constexpr int64_t kRepeated = 4;  ///< steps that are done twice and compared

class Grid : public ::testing::Test {
 protected:
  Grid() {
    Tensor mask = at::zeros({1, 3, 16, 16});
    mask.slice(2, 3, 9).slice(3, 5, 15).fill_(1);
    mask[0][1][12][12] = 1.0 / 255;  // barely not black: free
    save_png(mask, mask_file());
    write_file(targets_file(), "I was hijacked\nsay it please\n");
  }

  std::string targets_file() const { return (folder_.path() / "targets.txt").string(); }
  std::string mask_file() const { return (folder_.path() / "mask.png").string(); }

  /// A constraint that fits the toy model's 16 x 16 pixels.
  ConstraintConfig sized(const std::string& name) const {
    const int64_t patch = name == "moving_patch" ? 11 : 6;
    return {.name = name,
            .l2_radius = 1,
            .patch_size = patch,
            .patch_top = 4,
            .patch_left = 5,
            .border_width = 2,
            .mask = mask_file()};
  }

  std::vector<ToyCase> cases() const {
    std::vector<ToyCase> all;
    std::map<std::string, std::shared_ptr<const Behavior>> prepared;  // asking the model is slow
    for (const std::string& behavior : behavior_names())
      prepared[behavior] =
          toy_behavior({.behavior = behavior, .targets = behavior == "corpus" ? targets_file() : ""});
    for (const std::string& constraint : constraint_names())
      for (const std::string& optimizer : optimizer_names()) {
        ToyCase one{
            .constraint = sized(constraint), .optimizer = optimizer, .steps = 12, .picture = mask_file()};
        if (constraint == "moving_patch") one.steps = 60, one.batch = 0;  // many places to learn
        if (optimizer == "square") one.steps = 200;  // queries, from stripes that are worse than the photo
        for (const std::string& behavior : behavior_names()) {
          all.push_back(one);
          all.back().behavior = behavior;
          all.back().prepared = prepared.at(behavior);
        }
        for (const char* formula : kFormulas) {
          all.push_back(one);
          all.back().objective = formula;
          all.back().prepared = prepared.at(one.behavior);
        }
      }
    return all;
  }

  template <class Work>
  void for_each_case(Work work) const {
    for (const ToyCase& one : cases()) {
      SCOPED_TRACE(one.name());
      work(one);
    }
  }

  support::TemporaryFolder folder_;
};

bool allowed(const ToyCase& one) {
  if (one.behavior == "corpus" && (one.optimizer == "apgd" || one.optimizer == "square")) return false;
  if (one.optimizer == "cwa") return one.constraint.name != "moving_patch";
  if (one.optimizer == "apgd") return one.constraint.name == "linf" || one.constraint.name == "l2";
  return one.optimizer != "square" || one.constraint.name == "linf";
}

TEST_F(Grid, EveryAllowedCombinationStaysInsideAndLowersTheLoss) {
  int64_t combinations = 0;
  for_each_case([&](const ToyCase& one) {
    if (!allowed(one)) return;
    ++combinations;
    const auto attack = std::make_unique<ToyAttack>(one);
    AttackState state = attack->start();
    int64_t seen = 0;
    std::vector<Tensor> early;
    attack->hooks.after_step = [&](const AttackState& now) {
      ASSERT_TRUE(measure_budget(attack->constraint, now.image, attack->origin).respected) << now.step;
      ASSERT_EQ(now.step, ++seen);
      if (now.step <= kRepeated) early.push_back(now.image);
      for (const Tensor& weight : attack->model->weights())
        ASSERT_FALSE(weight.requires_grad() || weight.grad().defined()) << now.step;
    };
    attack->run(state);
    EXPECT_EQ(seen, one.steps);
    EXPECT_TRUE(on_lattice(state.best_image));
    EXPECT_TRUE(measure_budget(attack->constraint, state.best_image, attack->origin).respected);
    const double before = attack->full_loss(attack->origin);
    const double after = attack->full_loss(attack->optimizer->candidate(state.image));
    // Far below that (disinformation begins at .04) steps of fixed size overshoot, and momenta that last over
    // the cycles of cwa do more so; chance is 3.5.
    EXPECT_LT(after, std::max(before, one.optimizer == "cwa" ? 1.5 : 0.5));
    const auto again = std::make_unique<ToyAttack>(one);
    std::stop_source stop;
    again->options.stop = stop.get_token();
    again->hooks.after_step = [&](const AttackState& now) {
      ASSERT_TRUE(at::equal(now.image, early.at(static_cast<size_t>(now.step) - 1)))
          << "the same seed gives the same bytes at step " << now.step;
      if (now.step == kRepeated) stop.request_stop();
    };
    AttackState same = again->start();
    again->run(same);
    EXPECT_EQ(same.step, kRepeated);
  });
  EXPECT_GE(combinations, 10 * (7 * 3 + 2 + 1) + 8 * 3);
}

TEST_F(Grid, CombinationsThatMakeNoSenseAreRefusedWithTheReason) {
  int64_t refused = 0;
  for_each_case([&](const ToyCase& one) {
    if (allowed(one) || one.behavior == "corpus") return;  // refused by the runner
    ++refused;
    try {
      std::make_unique<ToyAttack>(one);
      ADD_FAILURE() << "not refused";
    } catch (const Error& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("optimizer " + one.optimizer), std::string::npos) << text;
      EXPECT_NE(text.find("pgd, adam or sgd"), std::string::npos) << text;
    }
  });
  EXPECT_GE(refused, 9 * (5 + 6));
}

TEST_F(Grid, ARadiusOfZeroChangesNothing) {
  for (const std::string constraint : {"linf", "l2"})
    for (const std::string& optimizer : optimizer_names()) {
      SCOPED_TRACE(constraint + " " + optimizer);
      ConstraintConfig zero = sized(constraint);
      zero.epsilon = "0/255";
      zero.l2_radius = 0;
      const ToyCase one{.constraint = zero, .optimizer = optimizer, .steps = 6};
      if (!allowed(one)) continue;
      ToyAttack attack(one);
      attack.options.restarts = 1;
      attack.hooks.after_step = [&](const AttackState& now) {
        EXPECT_TRUE(at::equal(now.image, attack.origin)) << now.step;
      };
      AttackState state = start_attack(attack.constraint, attack.origin, true, 5);
      EXPECT_TRUE(at::equal(state.image, attack.origin));
      attack.run(state);
      EXPECT_TRUE(at::equal(state.best_image, attack.origin));
    }
}

}  // namespace
}  // namespace hijack::grid_test
