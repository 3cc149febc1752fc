#include "defenses/calibration.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
#include "src/base/random.h"

namespace hijack::calibration_test {
namespace {

/// 0, 1, ..., n-1 in a mixed order.
std::vector<double> scores(int64_t n) {
  std::vector<double> values;
  for (int64_t i = 0; i < n; ++i) values.push_back(static_cast<double>((i * 7) % n));
  return values;
}

std::string refused(int64_t n, double alpha) {
  try {
    calibrate("judge", std::vector<double>(static_cast<size_t>(n)), alpha);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Calibration, IsTheSplitConformalOrderStatistic) {
  const auto rank = [](int64_t n, double alpha) { return calibrate("d", scores(n), alpha).threshold + 1; };
  EXPECT_EQ(rank(99, .01), 99);    // 100 * .99
  EXPECT_EQ(rank(100, .01), 100);  // 99.99, rounded up; the empirical quantile would take 99
  EXPECT_EQ(rank(199, .01), 198);
  EXPECT_EQ(rank(200, .01), 199);
  EXPECT_EQ(rank(20, .05), 20);
  EXPECT_EQ(rank(39, .05), 38);
  EXPECT_EQ(rank(20, .5), 11);
  EXPECT_EQ(rank(999, .001), 999);
}

TEST(Calibration, AlphaZeroIsTheLargestScore) {
  const Calibration made = calibrate("d", scores(20), 0);
  EXPECT_EQ(made.threshold, 19);
  EXPECT_EQ(made.quantile(), 1);
  EXPECT_DOUBLE_EQ(made.false_alarm_bound.value(), 1 / 21.0);
}

TEST(Calibration, SaysWhereItCameFromAndWhatItPromises) {
  const Calibration made = calibrate("perplexity:window=10", scores(200), .01);
  EXPECT_EQ(made.name, "perplexity:window=10");
  EXPECT_EQ(made.n, 200);
  EXPECT_EQ(made.alpha, .01);
  EXPECT_DOUBLE_EQ(made.false_alarm_bound.value(), 2 / 201.0);
  for (const double alpha : {.01, .02, .05, .1, .3})
    for (const int64_t n : {99, 100, 150, 200, 333})
      EXPECT_LE(calibrate("d", scores(n), alpha).false_alarm_bound.value(), alpha + 1e-12)
          << n << " " << alpha;
}

/// Fitted and judged on draws of one distribution many times, the mean rate of false alarms is the bound. The
/// empirical quantile has 3 / 41 here, more than was asked for.
TEST(Calibration, TheBoundHoldsOnFreshScores) {
  Random random(3);
  constexpr int kRounds = 4000;
  constexpr int64_t kScores = 40;
  double alarms = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> benign;
    for (int64_t i = 0; i < kScores; ++i) benign.push_back(random.uniform());
    alarms += 1 - calibrate("d", std::move(benign), .05).threshold;  // uniform: what lies above it
  }
  EXPECT_NEAR(alarms / kRounds, 2 / 41.0, .002);
  EXPECT_LE(alarms / kRounds, .05);
}

TEST(Calibration, RefusesTooFewScoresAndNamesTheNumber) {
  EXPECT_EQ(fewest_calibration_scores(.01), 99);
  EXPECT_EQ(fewest_calibration_scores(.02), 49);
  EXPECT_EQ(fewest_calibration_scores(.001), 999);
  EXPECT_EQ(fewest_calibration_scores(.1), 20) << "fewer make no threshold at all";
  EXPECT_EQ(fewest_calibration_scores(0), 20);
  EXPECT_GT(fewest_calibration_scores(1e-300), 1'000'000);
  const std::string message = refused(60, .01);
  EXPECT_EQ(message,
            "Defense 'judge' has 60 benign examples to fit its threshold on, and needs at least 99 for a "
            "false-positive rate of 0.01: give more calibration prompts, a larger --false-positive-rate (60 "
            "hold 0.017), or set the threshold yourself ('threshold=...').");
  EXPECT_EQ(refused(60, .017), "") << "the advice has to work";
  EXPECT_EQ(refused(99, .01), "");
  EXPECT_NE(refused(98, .01), "");
  EXPECT_EQ(refused(20, 0), "");
  EXPECT_NE(refused(19, 0).find("at least 20"), std::string::npos);
  EXPECT_EQ(refused(19, .05).find("--false-positive-rate"), std::string::npos) << "no rate would help";
  EXPECT_NE(refused(0, .01).find("at least 99"), std::string::npos);
}

TEST(Calibration, AdviceForTooFewAlwaysWorks) {
  for (int64_t n = 20; n < 99; ++n) {
    const std::string message = refused(n, .01);
    const size_t at = message.find(" hold ");
    ASSERT_NE(at, std::string::npos) << message;
    EXPECT_EQ(refused(n, std::stod(message.substr(at + 6))), "") << message;
  }
}

TEST(Calibration, MoreThanTheFewestAreUsedWhereTheyAreThere) {
  EXPECT_EQ(most_calibration_scores(.01), 200);
  EXPECT_EQ(most_calibration_scores(0), 200);
  EXPECT_EQ(most_calibration_scores(.001), 1998);
}

TEST(Calibration, AQuantileGoesBeforeTheRunsRate) {
  DefenseResources resources;
  resources.false_positive_rate = .05;
  EXPECT_EQ(wanted_alpha(0, resources), .05);
  EXPECT_EQ(wanted_alpha(.99, resources), .01);
  EXPECT_EQ(wanted_alpha(1, resources), 0);
  EXPECT_EQ(fewest_calibration_scores(wanted_alpha(.99, resources)), 99);
  EXPECT_EQ(calibrate("d", scores(20), wanted_alpha(1e-300, resources)).threshold, 0) << "the smallest score";
}

TEST(Calibration, AThresholdAtTheLargestPossibleScoreCannotFire) {
  std::vector<double> tied(200, 0);
  tied[0] = tied[1] = 5;
  EXPECT_FALSE(calibrate("d", tied, .01, 5).can_fire());
  EXPECT_TRUE(calibrate("d", tied, .01, 5.5).can_fire());
  EXPECT_TRUE(calibrate("d", tied, .01).can_fire()) << "unbounded";
  tied[1] = 0;
  EXPECT_TRUE(calibrate("d", tied, .01, 5).can_fire()) << "one of 200 may lie above the threshold";
  EXPECT_FALSE((Calibration{.name = "d", .threshold = 7, .ceiling = 2}.can_fire()));
}

TEST(Calibration, RefusesScoresThatAreNotFinite) {
  std::vector<double> bad = scores(20);
  bad[3] = std::nan("");
  EXPECT_THROW(calibrate("d", bad, 0), Failure);
}

TEST(SubmissionsSha256, TellsApartWhatIsNotTheSame) {
  const Tensor image = at::full({1, 3, 4, 4}, 0.2);
  const std::vector<Submission> some = {{image, {.prompt = "a"}}, {image, {.prompt = "b"}}};
  std::set<std::string> seen = {submissions_sha256(some)};
  EXPECT_EQ(seen.begin()->size(), 64u);
  EXPECT_TRUE(seen.contains(submissions_sha256(some)));
  std::vector<Submission> other = some;
  std::swap(other[0], other[1]);
  EXPECT_TRUE(seen.insert(submissions_sha256(other)).second) << "order";
  other = some;
  other[1].query.system = "be brief";
  EXPECT_TRUE(seen.insert(submissions_sha256(other)).second) << "system prompt";
  other = some;
  other[1].image = image + 1 / 255.0;
  EXPECT_TRUE(seen.insert(submissions_sha256(other)).second) << "image";
  other[1].image = image.reshape({1, 3, 2, 8});
  EXPECT_TRUE(seen.insert(submissions_sha256(other)).second) << "size";
  other[1].image = Tensor();
  EXPECT_TRUE(seen.insert(submissions_sha256(other)).second) << "no image";
  other = some;
  other.pop_back();
  EXPECT_TRUE(seen.insert(submissions_sha256(other)).second) << "number";
}

}  // namespace
}  // namespace hijack::calibration_test
