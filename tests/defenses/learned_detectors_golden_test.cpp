// Logistic regression and shrunk covariance against scikit-learn (tests/golden/detectors/make.py).
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "defenses/detectors/logistic.h"
#include "defenses/detectors/mahalanobis.h"
#include "src/base/file.h"

namespace hijack::learned_detectors_golden_test {
namespace {

nlohmann::json scikit() {
  return nlohmann::json::parse(
      read_file(std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/detectors/golden.json"));
}

Tensor table(const nlohmann::json& rows) {
  std::vector<Tensor> all;
  for (const auto& row : rows) all.push_back(at::tensor(row.get<std::vector<double>>(), at::kDouble));
  return at::stack(all);
}

double farthest(const Tensor& a, const std::vector<double>& b) {
  return (a.to(at::kDouble) - at::tensor(b, at::kDouble)).abs().max().item<double>();
}

TEST(LearnedGolden, LogisticRegressionIsScikitLearns) {
  const nlohmann::json golden = scikit();
  for (const auto& one : golden.at("logistic")) {
    const Tensor x = table(one.at("features"));
    const Tensor labels = at::tensor(one.at("labels").get<std::vector<int64_t>>(), at::kLong).to(at::kBool);
    const LogisticModel model = fit_logistic(x, labels, one.at("l2").get<double>());
    EXPECT_LT(farthest(model.weights, one.at("weights")), 1e-4) << x.sizes();
    EXPECT_NEAR(model.bias, one.at("bias").get<double>(), 1e-4);
    EXPECT_LT(farthest(model.logits(x), one.at("logits")), 1e-3);
  }
}

TEST(LearnedGolden, LedoitWolfIsScikitLearns) {
  const nlohmann::json golden = scikit().at("ledoit_wolf");
  const Gaussian gaussian = Gaussian::of(table(golden.at("states")));
  EXPECT_NEAR(gaussian.shrinkage, golden.at("shrinkage").get<double>(), 1e-9);
  EXPECT_LT(farthest(gaussian.distance(table(golden.at("probe"))), golden.at("distance")), 1e-4);
}

}  // namespace
}  // namespace hijack::learned_detectors_golden_test
