// Flags of defenses through runs that were evaluated: for each one on which it fires and one on which it does
// not.
#include "src/experiment/evaluate/evaluate.h"
#include "src/experiment/report/aggregate/aggregate.h"
#include "tests/support/raised_flags.h"
#include "tests/support/scripted_model.h"
#include "tests/support/toy_runs.h"

namespace hijack::defense_flags_test {
namespace {

using support::error_of;
using support::expect_quiet;
using support::expect_raised;
using support::raised;

class DefenseFlags : public ToyRuns {
 protected:
  DefenseFlags() {
    config_.optimizer.steps = 2;
    evaluate_.defense.false_positive_rate = 0.05;
    evaluate_.utility = 14;  // with the five test contexts just enough for that rate
    evaluate_.suffix.tokens = 3;
    evaluate_.suffix.steps = 0;
  }

  RunRecord evaluated(const std::string& name, const std::vector<std::string>& defenses) {
    evaluate_.defense.defenses = defenses;
    EXPECT_TRUE(evaluate_run(root() / name, evaluate_, {}, models()));
    return read_run(root() / name);
  }

  EvaluateConfig evaluate_;
};

TEST_F(DefenseFlags, RefusesEverybody) {
  finished("run");
  expect_quiet(evaluated("run", {"perplexity"}), "refuses everybody");
  expect_raised(evaluated("run", {"perplexity:threshold=0.000001"}), "refuses everybody",
                "all 19 harmless submissions");
}

/// Replies that share no word whatever is done to the image fill the range of the divergence.
TEST_F(DefenseFlags, DetectorCannotFire) {
  const auto steady = std::make_shared<ScriptedModel>([](const Tensor&, const Query&) { return "yes"; });
  const auto jumpy = std::make_shared<ScriptedModel>([](const Tensor& image, const Query&) {
    return "w" + std::to_string(std::lround(1e5 * image.mean().item<double>()));
  });
  model_ = steady;
  finished("steady");
  expect_quiet(evaluated("steady", {"jailguard:copies=2"}), "detector cannot fire");
  model_ = jumpy;
  finished("jumpy");
  const RunRecord run = evaluated("jumpy", {"jailguard:copies=2"});
  expect_raised(run, "detector cannot fire", "is the largest score that it can give");
  for (const ReplyRow& reply : run.replies) EXPECT_FALSE(reply.rejected);
}

/// A threshold that the user gives may lie there, too.
TEST_F(DefenseFlags, DetectorCannotFireByTheUsersThreshold) {
  finished("run");
  expect_raised(evaluated("run", {"cider:against=image,denoiser=blur,threshold=2"}), "detector cannot fire");
  finished("below");
  expect_quiet(evaluated("below", {"cider:against=image,denoiser=blur,threshold=1.9"}),
               "detector cannot fire");
}

/// Fewer than the rate needs are refused where a threshold is fitted; where it is judged, the report says so.
TEST_F(DefenseFlags, TooFewBenignExamples) {
  constexpr const char* kFlag = "too few benign examples for the false-positive rate";
  finished("run");
  expect_quiet(evaluated("run", {"perplexity"}), kFlag);
  finished("few");
  evaluate_.utility = 13;
  expect_raised(evaluated("few", {"perplexity"}), kFlag, "counted on 18 harmless submissions");
  EXPECT_EQ(raised({read_run(root() / "few")}, kFlag).at(0).severity, Severity::information);
  evaluate_.defense.false_positive_rate = 0.009;  // needs 111, and there are 100
  EXPECT_NE(error_of([&] { evaluated("few", {"perplexity"}); }).find("needs at least 111"),
            std::string::npos);
}

/// An attack that is made for rotated, blurred and coarse copies takes more steps than one for the image
/// itself.
TEST_F(DefenseFlags, AdaptiveBelowStatic) {
  config_.constraint.name = "box";
  config_.validate_every = 4;
  evaluate_.utility = 0;
  evaluate_.defense.adaptive = true;
  evaluate_.defense.draws = 1;
  const auto through_mutations = [&](int64_t steps) {
    config_.optimizer.steps = steps;
    finished(std::to_string(steps));
    return evaluated(std::to_string(steps), {"jailguard:copies=8,mutations=all,threshold=100"});
  };
  expect_raised(through_mutations(12), "adaptive below static",
                "the image that knows the defense succeeds in 0%, the one that does not in 100%");
  expect_quiet(through_mutations(60), "adaptive below static");
}

}  // namespace
}  // namespace hijack::defense_flags_test
