#include "src/experiment/report/sanity/sanity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "src/experiment/plan/prompt_digest.h"
#include "src/experiment/report/aggregate/aggregate.h"
#include "tests/support/sample_run.h"

namespace hijack::sanity_test {
namespace {

TrialRow good_trial(uint64_t seed, double epsilon = 8) {
  TrialRow row;
  row.id = "eps" + std::to_string(static_cast<int>(epsilon)) + "-s" + std::to_string(seed);
  row.model = "pocket";
  row.behavior = "string";
  row.constraint_name = "linf";
  row.constraint = "linf " + std::to_string(static_cast<int>(epsilon)) + "/255";
  row.epsilon_255 = epsilon;
  row.seed = seed;
  for (int step = 0; step < 100; ++step) row.losses.push_back(0.02 + 4 * std::exp(-step / 10.0));
  row.success = {{"test", {100, 97, 98}}};
  row.controls = {{"clean", {100, 0, 0}}, {"noise", {100, 0, 0}}};
  row.optimizer = "pgd";
  row.budget = {epsilon, 0, true};
  support::give_identity(row);
  return row;
}

std::vector<RunRecord> run_of(std::vector<TrialRow> trials) {
  return {{"runs/a", nlohmann::json::object(), std::move(trials), {}, {}}};
}

std::vector<RunRecord> three_seeds(const std::function<void(TrialRow&)>& change = [](TrialRow&) {}) {
  std::vector<TrialRow> trials{good_trial(0), good_trial(1), good_trial(2)};
  change(trials[1]);
  for (TrialRow& row : trials) support::give_identity(row);
  return run_of(trials);
}

std::vector<std::string> names(const std::vector<RunRecord>& runs) {
  std::vector<std::string> result;
  for (const Flag& flag : sanity_flags(runs)) {
    result.push_back(flag.name + (flag.trial.empty() ? "" : " @ " + flag.trial));
    EXPECT_FALSE(flag.meaning.empty());
    EXPECT_FALSE(flag.advice.empty());
  }
  return result;
}

using Names = std::vector<std::string>;

TEST(Sanity, AGoodRunRaisesNothing) {
  EXPECT_EQ(names(three_seeds()), Names{});
}

TEST(Sanity, BudgetOfTheReloadedFile) {
  const auto runs = three_seeds([](TrialRow& row) { row.budget = {8.5, 0, false}; });
  const std::vector<Flag> flags = sanity_flags(runs);
  ASSERT_FALSE(flags.empty());
  EXPECT_EQ(flags[0].name, "budget violated");
  EXPECT_EQ(flags[0].trial, "eps8-s1");
  EXPECT_EQ(flags[0].severity, Severity::failure);
  EXPECT_NE(flags[0].meaning.find("8.50/255"), std::string::npos) << flags[0].meaning;
}

TEST(Sanity, GradientCanary) {
  EXPECT_EQ(names(three_seeds([](TrialRow& row) {
              row.losses.assign(100, 4.2);
              row.success["test"] = {100, 0, 0};
            })),
            Names{"loss did not fall @ eps8-s1"});
  EXPECT_EQ(names(three_seeds([](TrialRow& row) { row.losses[50] = std::nan(""); })),
            Names{"loss not finite @ eps8-s1"});
  // Done before the first quarter ends: nothing left to fall.
  EXPECT_EQ(names(three_seeds([](TrialRow& row) {
              row.losses.assign(100, 0.01);
              row.losses[0] = 3;
            })),
            Names{});
}

TEST(Sanity, Convergence) {
  const auto falling = [](TrialRow& row) {
    for (size_t i = 0; i < row.losses.size(); ++i)
      row.losses[i] = 4 - 0.02 * static_cast<double>(i) + (i % 2 ? 0.01 : 0);
    row.success["test"] = {100, 40, 40};
  };
  EXPECT_EQ(names(three_seeds(falling)), Names{"not converged @ eps8-s1"});
  EXPECT_EQ(names(three_seeds([&](TrialRow& row) {
              falling(row);
              row.success["test"] = {100, 99, 99};
            })),
            Names{})
      << "full success needs no more steps";
  EXPECT_EQ(names(three_seeds([](TrialRow& row) {
              row.success["test"] = {100, 40, 40};
            })),
            Names{})
      << "flat at the end";
}

TEST(Sanity, Controls) {
  EXPECT_EQ(names(three_seeds([](TrialRow& row) {
              row.success["test"] = {100, 30, 30};
              row.controls["noise"] = {100, 25, 25};
            })),
            Names{"noise succeeds @ eps8-s1"});
  EXPECT_EQ(names(three_seeds([](TrialRow& row) {
              row.controls["clean"] = {100, 20, 20};
            })),
            Names{"clean image obeys @ eps8-s1"});
  EXPECT_EQ(names(three_seeds([](TrialRow& row) { row.controls.erase("noise"); })),
            Names{"no control @ eps8-s1"});
  EXPECT_EQ(names(three_seeds([](TrialRow& row) {
              row.controls["noise"] = {100, 3, 3};
            })),
            Names{})
      << "a few lucky draws far below the attack are no finding";
}

TEST(Sanity, MonotoneOverEpsilon) {
  std::vector<TrialRow> trials;
  for (uint64_t seed = 0; seed < 3; ++seed) {
    trials.push_back(good_trial(seed, 8));
    trials.push_back(good_trial(seed, 16));
    trials.back().success["test"] = {100, 60, 60};
  }
  EXPECT_EQ(names(run_of(trials)), Names{"epsilon not monotone @ eps16-s0"});
  for (TrialRow& row : trials) row.success["test"] = {100, row.epsilon_255 == 16 ? 95 : 97, 97};
  EXPECT_EQ(names(run_of(trials)), Names{}) << "within the intervals";
}

TEST(Sanity, Unconstrained) {
  const auto runs = three_seeds();
  auto box = runs;
  for (TrialRow& row : box[0].trials) {
    row.constraint_name = "box";
    row.epsilon_255 = 0;
    support::give_identity(row);
  }
  EXPECT_EQ(names(box), Names{});
  for (TrialRow& row : box[0].trials) row.success["test"] = {100, 50, 50};
  EXPECT_EQ(names(box), Names{"unconstrained fails @ eps8-s0"});
}

/// A run whose "perplexity" has judged twenty honest prompts by the threshold 5.
std::vector<RunRecord> calibrated(const std::function<void(nlohmann::json&)>& change) {
  auto runs = three_seeds();
  nlohmann::json entry = {{"defense", "perplexity"}, {"threshold", 5.0}, {"ceiling", nullptr},
                          {"alpha", 0.05},           {"n", 19},          {"prompts", {"0123456789abcdef"}}};
  change(entry);
  runs[0].manifest["calibrations"] = {entry};
  for (int i = 0; i < 20; ++i) {
    ReplyRow row;
    row.trial = runs[0].trials[0].id;
    row.condition = "benign";
    row.split = "test";
    row.context.prompt = "question " + std::to_string(i);
    row.defense = "perplexity";
    row.trace = {{"perplexity", false, 1.5, 5.0, ""}};
    runs[0].replies.push_back(row);
  }
  return runs;
}

TEST(Sanity, AThresholdFittedOnWhatItIsJudgedBy) {
  EXPECT_EQ(names(calibrated([](auto&) {})), Names{});
  const auto runs =
      calibrated([](auto& entry) { entry["prompts"].push_back(prompt_digest({.prompt = "question 7"})); });
  const std::vector<Flag> flags = sanity_flags(runs);
  ASSERT_EQ(flags.size(), 1u);
  EXPECT_EQ(flags[0].name, "threshold fitted on evaluation data");
  EXPECT_EQ(flags[0].severity, Severity::failure);
  EXPECT_NE(flags[0].meaning.find("1 of the 20 prompts"), std::string::npos) << flags[0].meaning;
}

TEST(Sanity, ADetectorThatCannotFire) {
  EXPECT_EQ(names(calibrated([](auto& entry) { entry["ceiling"] = 5.0; })), Names{"detector cannot fire"});
  EXPECT_EQ(names(calibrated([](auto& entry) { entry["ceiling"] = 5.1; })), Names{});
}

TEST(Sanity, TooFewBenignExamples) {
  const Names flag{"too few benign examples for the false-positive rate"};
  EXPECT_EQ(names(calibrated([](auto& entry) { entry["n"] = 18; })), flag);
  EXPECT_EQ(names(calibrated([](auto& entry) { entry["n"] = 0; })), Names{}) << "given by the user";
  const auto fitted_on = [](int64_t n) {
    return sanity_flags(calibrated([n](auto& entry) { entry["alpha"] = 0.01, entry["n"] = n; }));
  };
  EXPECT_EQ(fitted_on(98).size(), 2u) << "fitted and judged on too few";
  ASSERT_EQ(fitted_on(99).size(), 1u);
  EXPECT_EQ(fitted_on(99)[0].severity, Severity::information);
  EXPECT_NE(fitted_on(99)[0].meaning.find("counted on 20 harmless"), std::string::npos);
}

TEST(Sanity, ACalibrationThatWasEdited) {
  EXPECT_EQ(names(calibrated([](auto& entry) { entry["threshold"] = 5.00001; })), Names{})
      << "rows of two machines: their float32 rounds otherwise";
  EXPECT_EQ(names(calibrated([](auto& entry) { entry["threshold"] = 4.5; })), Names{"calibration differs"});
  auto two = calibrated([](auto& entry) { entry["stack"] = "a"; });
  EXPECT_EQ(names(two), Names{}) << "another stack of the same name";
  for (ReplyRow& row : two[0].replies) row.stack = "a";
  EXPECT_EQ(names(two), Names{});
  two[0].manifest["calibrations"][0]["threshold"] = 7;
  EXPECT_EQ(names(two), Names{"calibration differs"});
}

TEST(Sanity, GarbageInTheManifestIsNoCalibration) {
  auto runs = three_seeds();
  for (const nlohmann::json& garbage :
       {nlohmann::json("garbage"), nlohmann::json({1, "a", {{"defense", 3}}}), nlohmann::json::object()}) {
    runs[0].manifest["calibrations"] = garbage;
    EXPECT_EQ(names(runs), Names{});
  }
}

TEST(Sanity, AnImageThatIsTheCleanOne) {
  const Names flag{"change below 1/255 @ eps8-s1"};
  EXPECT_EQ(names(three_seeds([](TrialRow& row) { row.budget.max_difference_255 = 0; })), flag);
  auto runs = three_seeds();
  for (TrialRow& row : runs[0].trials) {
    row.budget.max_difference_255 = 0;
    row.constraint_name = "suffix";
    support::give_identity(row);
  }
  EXPECT_EQ(names(runs), Names{}) << "a suffix leaves the photo alone";
}

TEST(Sanity, IdenticalImagesCountOnce) {
  auto runs = three_seeds();
  const auto image = [&](size_t i, const std::string& hash) {
    runs[0].trials[i].image_file = "images/" + std::to_string(i) + ".png";
    runs[0].trials[i].files[runs[0].trials[i].image_file] = hash;
  };
  image(0, "aa"), image(1, "bb"), image(2, "cc");
  EXPECT_EQ(names(runs), Names{});
  EXPECT_EQ(report::settings(runs)[0].success.at("test").exact.n, 300);
  image(2, "aa");
  EXPECT_EQ(names(runs), (Names{"identical images @ eps8-s2", "few seeds"}));
  EXPECT_EQ(report::settings(runs)[0].success.at("test").exact.n, 200);
  runs[0].trials[2].suffix = "another";
  EXPECT_EQ(names(runs), Names{}) << "the clean photo with another suffix is another attack";
}

TEST(Sanity, ATrialCountsOnce) {
  auto runs = three_seeds();
  runs.push_back(runs[0]);
  runs[1].folder = "runs/copy";
  EXPECT_EQ(names(runs), (Names{"counted twice @ copy/eps8-s0", "counted twice @ copy/eps8-s1",
                                "counted twice @ copy/eps8-s2"}));
  EXPECT_EQ(report::settings(runs)[0].success.at("test").exact.n, 300);
}

TEST(Sanity, RowsThatWereChanged) {
  EXPECT_EQ(names(three_seeds([](TrialRow&) {})), Names{});
  auto runs = three_seeds();
  runs[0].trials[0].setting["steps"] = 1000;
  EXPECT_EQ(names(runs), Names{"row was changed @ eps8-s0"});
  runs[0].trials[0].setting_digest.clear();
  EXPECT_EQ(names(runs)[0], "setting not recorded @ eps8-s0");
  EXPECT_EQ(report::settings(runs).size(), 2u) << "it is pooled with no other";
}

TEST(Sanity, TalliesAreRecounted) {
  auto runs = three_seeds();
  for (int i = 0; i < 100; ++i) {
    ReplyRow row;
    row.trial = "eps8-s1";
    row.condition = "attack";
    row.split = "test";
    row.context.prompt = std::to_string(i);
    row.exact = i < 97;
    row.substring = i < 98;
    runs[0].replies.push_back(row);
  }
  EXPECT_EQ(names(runs), Names{});
  runs[0].replies[3].exact = false;
  EXPECT_EQ(names(runs), Names{"row does not match its replies @ eps8-s1"});
  runs[0].manifest["replies_sampled"] = true;
  EXPECT_EQ(names(runs), Names{});
}

TEST(Sanity, RepliesAtTheLengthLimit) {
  auto runs = calibrated([](auto&) {});
  for (size_t i = 0; i < runs[0].replies.size(); ++i) runs[0].replies[i].cut = i < 1;
  EXPECT_EQ(names(runs), Names{}) << "one of twenty";
  runs[0].replies[1].cut = true;
  EXPECT_EQ(names(runs), Names{"replies cut at the length limit @ eps8-s0"});
}

TEST(Sanity, SeedsAreInformation) {
  const std::vector<Flag> flags = sanity_flags(run_of({good_trial(0)}));
  ASSERT_EQ(flags.size(), 1u);
  EXPECT_EQ(flags[0].name, "few seeds");
  EXPECT_EQ(flags[0].severity, Severity::information);
}

TEST(Sanity, TrialsOfSeveralRunsAreNamedWithTheirFolder) {
  auto runs = three_seeds([](TrialRow& row) { row.budget.respected = false; });
  runs.push_back(three_seeds()[0]);
  runs[1].folder = "runs/b/";
  EXPECT_EQ(sanity_flags(runs)[0].trial, "a/eps8-s1");
}

}  // namespace
}  // namespace hijack::sanity_test
