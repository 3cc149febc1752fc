// The switches of the tower: its gradients against finite differences.
#include "models/network/vision_tower.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/network/pixtral_tower.h"
#include "src/base/random.h"
#include "tests/support/finite_difference.h"

namespace hijack::vision_tower_test {
namespace {

Tensor random_parameter(const std::string& name, at::IntArrayRef shape) {
  const Tensor noise = Random(7).fork(name).normal_tensor(shape);
  const int64_t inputs = shape.size() > 1 ? noise[0].numel() : 16;
  return noise / std::sqrt(static_cast<double>(inputs)) + (name.ends_with("norm.weight") ? 1 : 0);
}

TEST(PixtralTower, SeveralImagesAreThoseOfEach) {
  const auto config = PixtralVisionConfig::from_json(nlohmann::json::parse(
      R"({"patch_size":4,"hidden_size":16,"intermediate_size":20,"num_hidden_layers":2,"num_attention_heads":2})"));
  const PixtralTower tower(config, random_parameter, "tower", config.layers);
  const auto pass = [&](const Tensor& some) {
    const Tensor leaf = some.clone().set_requires_grad(true);
    const Tensor features = tower.forward(leaf);
    return std::pair(features.detach(), torch::autograd::grad({features.cos().sum()}, {leaf})[0]);
  };
  const auto error = [](const Tensor& got, const Tensor& expected) {
    return ((got - expected).abs().max() / expected.abs().max()).item<double>();
  };
  const Tensor images = Random(3).normal_tensor({3, 3, 8, 12});
  const auto [features, gradients] = pass(images);
  EXPECT_EQ(features.sizes(), at::IntArrayRef({3, 6, 16}));
  for (int64_t i = 0; i < 3; ++i) {
    const auto [alone, gradient] = pass(images.narrow(0, i, 1));
    EXPECT_GT(error(features.narrow(0, (i + 1) % 3, 1), alone), 1e-2);
    EXPECT_LE(error(features.narrow(0, i, 1), alone), 1e-6) << i;
    EXPECT_LE(error(gradients.narrow(0, i, 1), gradient), 1e-6) << i;
  }
}

class TowerKinds : public testing::TestWithParam<const char*> {};

TEST_P(TowerKinds, GradientIsTheFiniteDifference) {
  const auto config = VisionConfig::from_json(nlohmann::json::parse(GetParam()));
  const VisionTower tower(config, random_parameter, "tower", config.layers);
  const auto f = [&](const Tensor& pixels) { return tower.forward(pixels).square().sum() / 100; };
  const Tensor pixels = Random(3).normal_tensor({2, 3, 8, 8});
  EXPECT_EQ(tower.forward(pixels).sizes(), at::IntArrayRef({2, 5, 16}));
  EXPECT_LT(worst_gradient_error(f, pixels, {.step = 1e-2}), 2e-2);
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, TowerKinds,
    testing::Values(
        R"({"model_type":"internvl_vision","image_size":[8,8],"patch_size":[4,4],"hidden_size":16,"intermediate_size":20,
            "num_hidden_layers":2,"num_attention_heads":2,"attention_bias":true,"use_mean_pooling":false})",
        R"({"model_type":"internvl_vision","image_size":8,"patch_size":4,"hidden_size":16,"intermediate_size":20,
            "num_hidden_layers":2,"num_attention_heads":4,"use_qk_norm":true,"norm_type":"rms_norm"})",
        R"({"model_type":"instructblip_vision_model","image_size":8,"patch_size":4,"hidden_size":16,"intermediate_size":20,
            "num_hidden_layers":2,"num_attention_heads":2})"));

TEST(MergePatches, TakesSquaresRowByRow) {
  const Tensor x = at::arange(16, at::kFloat).reshape({1, 16, 1});
  const Tensor merged = merge_patches(x, 2);
  ASSERT_EQ(merged.sizes(), at::IntArrayRef({1, 4, 4}));
  EXPECT_TRUE(at::equal(merged[0][0], at::tensor({0.0F, 1.0F, 4.0F, 5.0F})));
  EXPECT_TRUE(at::equal(merged[0][3], at::tensor({10.0F, 11.0F, 14.0F, 15.0F})));
}

}  // namespace
}  // namespace hijack::vision_tower_test
