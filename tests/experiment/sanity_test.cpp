#include "src/experiment/sanity.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hijack {
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
  return row;
}

std::vector<RunRecord> run_of(std::vector<TrialRow> trials) {
  return {{"runs/a", nlohmann::json::object(), std::move(trials), {}, {}}};
}

std::vector<RunRecord> three_seeds(const std::function<void(TrialRow&)>& change = [](TrialRow&) {}) {
  std::vector<TrialRow> trials{good_trial(0), good_trial(1), good_trial(2)};
  change(trials[1]);
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
  }
  EXPECT_EQ(names(box), Names{});
  for (TrialRow& row : box[0].trials) row.success["test"] = {100, 50, 50};
  EXPECT_EQ(names(box), Names{"unconstrained fails @ eps8-s0"});
}

TEST(Sanity, CalibrationData) {
  auto runs = three_seeds();
  runs[0].manifest["calibrations"] = {
      {{"defense", "perplexity"}, {"fitted_on", "benign test"}, {"evaluated_on", "benign test"}},
      {{"defense", "jailguard"}, {"fitted_on", "benign train"}, {"evaluated_on", "benign test"}}};
  const std::vector<Flag> flags = sanity_flags(runs);
  ASSERT_EQ(flags.size(), 1u);
  EXPECT_EQ(flags[0].severity, Severity::failure);
  EXPECT_NE(flags[0].meaning.find("perplexity"), std::string::npos);
  runs[0].manifest["calibrations"] = "garbage";
  EXPECT_EQ(names(runs), Names{});
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
}  // namespace hijack
