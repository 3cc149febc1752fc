// The Q-Former's gradient against finite differences.
#include "models/network/qformer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/base/random.h"
#include "tests/support/finite_difference.h"

namespace hijack::qformer_test {
namespace {

Tensor random_parameter(const std::string& name, at::IntArrayRef shape) {
  const Tensor noise = Random(5).fork(name).normal_tensor(shape).to(at::kDouble);
  const bool norm = name.find("norm.weight") != name.npos || name.find("Norm.weight") != name.npos;
  return noise / std::sqrt(static_cast<double>(shape.back())) + (norm ? 1 : 0);
}

TEST(QFormer, GradientIsTheFiniteDifference) {
  const auto config = QFormerConfig::from_json(
      nlohmann::json::parse(
          R"({"vocab_size":20,"hidden_size":12,"num_hidden_layers":3,"num_attention_heads":3,
                                "intermediate_size":20,"max_position_embeddings":9})"),
      10);
  const QFormer qformer(config, random_parameter, "qformer");
  const Tensor queries = random_parameter("queries", {1, 4, 12}), seen = random_parameter("seen", {1, 6, 10});
  const Tensor question = at::tensor({3, 17, 5}, at::kLong);
  const auto f = [&](const Tensor& x) { return qformer.forward(queries, question, x).sin().sum(); };
  EXPECT_EQ(qformer.forward(queries, question, seen).sizes(), at::IntArrayRef({1, 4, 12}));
  EXPECT_LT(worst_gradient_error(f, seen, {.step = 1e-5}), 1e-6);
  const Tensor other = qformer.forward(queries, at::tensor({3, 18, 5}, at::kLong), seen);
  EXPECT_GT((other - qformer.forward(queries, question, seen)).abs().max().item<double>(), 1e-3);
  EXPECT_THROW(qformer.forward(queries, at::zeros({10}, at::kLong), seen), Error);
}

}  // namespace
}  // namespace hijack::qformer_test
