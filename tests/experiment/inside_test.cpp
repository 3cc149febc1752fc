// What trainings of detectors measure: separations with intervals, and that nothing is found where there is
// nothing.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "defenses/detectors/logistic.h"
#include "src/base/random.h"
#include "src/experiment/inside/learner.h"
#include "src/experiment/inside/refusal_window.h"
#include "tests/support/temporary_folder.h"

namespace hijack::inside_test {
namespace {

Scorer fit(const Tensor& features, const Tensor& labels) {
  return [model = fit_logistic(features, labels)](const Tensor& x) { return model.logits(x); };
}

/// `signal` on the first feature of hijacks; every prompt under each of the three images.
FeatureTable table(double signal, int64_t prompts = 40, int64_t features = 10) {
  Random random(3);
  FeatureTable made;
  for (int64_t i = 0; i < prompts; ++i)
    for (const char* label : {"hijack", "clean", "noise"}) {
      made.labels.push_back(label);
      made.clusters.push_back("prompt " + std::to_string(i));
    }
  made.features = random.normal_tensor({3 * prompts, features}).to(at::kDouble);
  made.features.select(1, 0).add_(made.hijacked().to(at::kDouble) * signal);
  return made;
}

const SeparationRow& row(const std::vector<SeparationRow>& rows, const std::string& what) {
  return *std::find_if(rows.begin(), rows.end(), [&](const SeparationRow& one) { return one.what == what; });
}

TEST(Learner, FindsWhatIsThere) {
  const FeatureTable seen = table(3);
  const auto rows = Learner(seen, nullptr, fit).rows();
  const Separation found = row(rows, "hijack from clean and noise").found;
  EXPECT_GT(found.auroc, 0.9);
  EXPECT_GT(found.interval.low, 0.8);
  EXPECT_LE(found.interval.low, found.auroc);
  EXPECT_GE(found.interval.high, found.auroc);
  EXPECT_EQ(found.positives, 40);
  EXPECT_EQ(found.negatives, 80);
}

TEST(Learner, ControlsHoldOneHalf) {
  const FeatureTable seen = table(3);
  const auto rows = Learner(seen, nullptr, fit).rows();
  for (const char* what :
       {"noise from clean (control)", "hijack from clean and noise, labels shuffled (control)"}) {
    const Interval interval = row(rows, what).found.interval;
    EXPECT_LT(interval.low, 0.5) << what;
    EXPECT_GT(interval.high, 0.5) << what;
  }
}

TEST(Learner, FindsNothingWhereThereIsNothing) {
  const FeatureTable seen = table(0);
  const Interval interval =
      row(Learner(seen, nullptr, fit).rows(), "hijack from clean and noise").found.interval;
  EXPECT_LT(interval.low, 0.5);
  EXPECT_GT(interval.high, 0.5);
}

TEST(Learner, AnotherRunIsScoredByWhatLearnedFromTheFirst) {
  const FeatureTable seen = table(3), other = table(0, 30);
  const auto rows = Learner(seen, &other, fit).rows();
  EXPECT_LT(row(rows, "hijack from clean and noise").found.auroc, 0.7);
  EXPECT_EQ(row(rows, "hijack from clean and noise").found.positives, 30);
  const auto ablation = Learner(seen, nullptr, fit).ablation("rest", {1, 2, 3});
  EXPECT_LT(ablation.found.auroc, 0.7);
}

TEST(CrossValidation, NoExampleIsScoredByWhatSawItsPrompt) {
  std::vector<std::set<double>> learned;
  const FeatureTable seen = table(0, 12, 1);
  const Fit spy = [&](const Tensor& features, const Tensor&) -> Scorer {
    std::set<double> values;
    for (int64_t i = 0; i < features.size(0); ++i) values.insert(features[i][0].item<double>());
    return [values](const Tensor& x) {
      for (int64_t i = 0; i < x.size(0); ++i) EXPECT_FALSE(values.contains(x[i][0].item<double>()));
      return x.select(1, 0);
    };
  };
  const auto scores = cross_validated_scores(seen.features, seen.hijacked(), seen.clusters, spy);
  EXPECT_EQ(scores, as_list(seen.features.select(1, 0)));
  const std::vector<std::string> one(seen.clusters.size(), "the same");
  EXPECT_NE(support::error_of([&] {
              cross_validated_scores(seen.features, seen.hijacked(), one, fit);
            }).find("two"),
            std::string::npos);
}

TEST(RefusalWindow, IsWhereCurvesDifferMost) {
  const Tensor benign = at::zeros({6}, at::kDouble);
  const Tensor refused = at::tensor({0.0, 0.6, 1.0, 0.5, 0.1, 0.9}, at::kDouble);
  EXPECT_EQ(refusal_window(refused, benign), (std::pair<int64_t, int64_t>(1, 3)));
  EXPECT_NE(support::error_of([&] { refusal_window(benign, refused); }).find("benign"), std::string::npos);
}

}  // namespace
}  // namespace hijack::inside_test
