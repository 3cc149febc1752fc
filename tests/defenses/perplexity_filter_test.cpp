#include "defenses/detectors/perplexity_filter.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
#include "tests/support/fake_language_model.h"

namespace hijack::perplexity_filter_test {
namespace {

DefenseResources resources(std::vector<std::string> prompts = {}) {
  DefenseResources all{.scorer = std::make_shared<FakeLanguageModel>()};
  for (std::string& prompt : prompts)
    all.benign.push_back({.image = {}, .query = {.prompt = std::move(prompt)}});
  return all;
}

/// 20 benign prompts "a i/10 i/10": means 0, 0.1, ..., 1.9.
std::vector<std::string> benign_prompts() {
  std::vector<std::string> prompts;
  for (int i = 0; i < 20; ++i) {
    const std::string word = " " + std::to_string(i / 10.0);
    prompts.push_back("a" + word + word);
  }
  return prompts;
}

TEST(PerplexityFilter, ScoreIsTheMeanWithoutTheFirstToken) {
  const PerplexityFilter filter({.threshold = 1}, resources());
  EXPECT_DOUBLE_EQ(filter.score({.prompt = "9 1 2 6"}), 3);
  EXPECT_DOUBLE_EQ(filter.score({.prompt = "9"}), 0);
  EXPECT_DOUBLE_EQ(filter.score({.prompt = ""}), 0);
}

TEST(PerplexityFilter, PassesAtTheThresholdAndRejectsAboveIt) {
  const PerplexityFilter filter({.threshold = 2}, resources());
  const EchoResponder model;
  const std::vector<Submission> batch = {{.image = {}, .query = {.prompt = "a 2 2"}},
                                         {.image = {}, .query = {.prompt = "a 2 2.5"}},
                                         {.image = {}, .query = {.prompt = "a 1 1"}}};
  const std::vector<Reply> replies = filter.answer(batch, model);
  ASSERT_EQ(replies.size(), 3u);
  EXPECT_EQ(replies[0].text, "|a 2 2|");
  EXPECT_TRUE(replies[1].rejected);
  EXPECT_EQ(replies[1].text, kRejectionText);
  EXPECT_EQ(replies[2].text, "|a 1 1|");
  ASSERT_EQ(model.seen->size(), 2u) << "the model must not see what was rejected";
  EXPECT_EQ(model.seen->at(1).query.prompt, "a 1 1");
  ASSERT_EQ(replies[1].trace.size(), 1u);
  EXPECT_DOUBLE_EQ(replies[1].trace[0].score, 2.25);
  EXPECT_DOUBLE_EQ(replies[1].trace[0].threshold, 2);
  EXPECT_TRUE(replies[1].trace[0].rejected);
  EXPECT_FALSE(replies[0].trace[0].rejected);
}

TEST(PerplexityFilter, DoesNotCallTheModelWhenEverythingIsRejected) {
  const PerplexityFilter filter({.threshold = 1}, resources());
  const Responder never = [](const std::vector<Submission>&) -> std::vector<Reply> {
    ADD_FAILURE() << "called";
    return {};
  };
  EXPECT_EQ(filter.answer({{.image = {}, .query = {.prompt = "a 5"}}}, never).size(), 1u);
}

TEST(PerplexityFilter, WindowBoundaries) {
  const auto windows = [](int64_t length) { return window_means(at::arange(length).to(at::kFloat), 10); };
  EXPECT_EQ(windows(0), std::vector<double>{});
  EXPECT_EQ(windows(1), std::vector<double>{0});
  EXPECT_EQ(windows(10), std::vector<double>{4.5});
  EXPECT_EQ(windows(11), (std::vector<double>{4.5, 10}));
  EXPECT_EQ(windows(19), (std::vector<double>{4.5, 14}));
  EXPECT_EQ(windows(20), (std::vector<double>{4.5, 14.5}));
  EXPECT_EQ(window_means(at::arange(19).to(at::kFloat), 0), std::vector<double>{9});
}

TEST(PerplexityFilter, OneBadWindowRejectsWhatTheMeanLetsPass) {
  std::string prompt = "a";
  for (int i = 0; i < 40; ++i) prompt += i < 30 ? " 1" : " 4";
  const PerplexityFilter whole({.threshold = 2}, resources());
  const PerplexityFilter windowed({.window = 10, .threshold = 2}, resources());
  EXPECT_DOUBLE_EQ(whole.score({.prompt = prompt}), 1.75);
  EXPECT_DOUBLE_EQ(windowed.score({.prompt = prompt}), 4);
}

TEST(PerplexityFilter, ThresholdIsTheLargestBenignScore) {
  const PerplexityFilter filter({}, resources(benign_prompts()));
  EXPECT_FLOAT_EQ(static_cast<float>(filter.threshold()), 1.9f);
  EXPECT_EQ(filter.calibrations().at(0).n, 20);
  EXPECT_EQ(filter.calibrations().at(0).alpha, 0);
  EXPECT_TRUE(filter.calibrations()[0].can_fire());
  EXPECT_NE(filter.calibrations()[0].fitted_on, "");
  EXPECT_NE(
      filter.calibrations()[0].fitted_on,
      PerplexityFilter({}, resources(std::vector<std::string>(20, "a b c"))).calibrations()[0].fitted_on);
  for (const std::string& prompt : benign_prompts())
    EXPECT_LE(filter.score({.prompt = prompt}), filter.threshold()) << prompt;
}

TEST(PerplexityFilter, QuantileAndFalsePositiveRate) {
  DefenseResources with_rate = resources(benign_prompts());
  with_rate.false_positive_rate = 0.1;
  EXPECT_FLOAT_EQ(static_cast<float>(PerplexityFilter({}, with_rate).threshold()), 1.8f);
  EXPECT_FLOAT_EQ(static_cast<float>(PerplexityFilter({.quantile = 0.5}, with_rate).threshold()), 1.0f)
      << "the defense's own quantile goes before the run's rate";
  with_rate.false_positive_rate = 0.01;
  EXPECT_THROW(PerplexityFilter({}, with_rate), Error) << "20 prompts cannot hold 1 %";
}

TEST(PerplexityFilter, WindowsAreCalibratedOnWindowsUnlessPublished) {
  std::string prompt = "a";
  for (int i = 0; i < 20; ++i) prompt += i < 10 ? " 1" : " 3";
  const DefenseResources benign = resources(std::vector<std::string>(20, prompt));
  EXPECT_DOUBLE_EQ(PerplexityFilter({.window = 10}, benign).threshold(), 3);
  EXPECT_DOUBLE_EQ(PerplexityFilter({.window = 10, .preset = "published"}, benign).threshold(), 2);
}

TEST(PerplexityFilter, RefusesTooFewBenignPromptsAndNoScorer) {
  EXPECT_THROW(PerplexityFilter({}, resources(std::vector<std::string>(19, "a b c"))), Error);
  EXPECT_THROW(PerplexityFilter({.threshold = 2}, DefenseResources{}), Error);
}

}  // namespace
}  // namespace hijack::perplexity_filter_test
