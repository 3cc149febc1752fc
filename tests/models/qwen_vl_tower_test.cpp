// The towers of the Qwen-VL families: windows, settings that are refused, gradients by finite differences.
#include "models/network/qwen_vl_tower.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/temporary_folder.h"

namespace hijack::qwen_vl_tower_test {
namespace {

using nlohmann::json;

TEST(AttentionWindows, OfASideThatDividesTheGrid) {
  const AttentionWindows windows(2, 4, 2);
  ASSERT_EQ(windows.groups.size(), 1u);
  EXPECT_EQ(windows.groups[0].windows, 2);
  EXPECT_EQ(windows.groups[0].tokens, 4);
  EXPECT_EQ(windows.order, (std::vector<int64_t>{0, 1, 4, 5, 2, 3, 6, 7}));
}

TEST(AttentionWindows, AtTheEdgesAreSmaller) {
  const AttentionWindows windows(3, 3, 2);
  EXPECT_EQ(windows.order, (std::vector<int64_t>{0, 1, 3, 4, 2, 5, 6, 7, 8}));
  std::vector<int64_t> sizes;
  for (const auto& group : windows.groups) sizes.push_back(group.windows * 100 + group.tokens);
  EXPECT_EQ(sizes, (std::vector<int64_t>{104, 102, 102, 101}));
  const AttentionWindows one(1, 3, 4);  // larger than the grid
  ASSERT_EQ(one.groups.size(), 1u);
  EXPECT_EQ(one.groups[0].tokens, 3);
  for (const int64_t side : {1, 2, 3, 5}) {
    std::vector<int64_t> seen = AttentionWindows(5, 7, side).order;
    std::sort(seen.begin(), seen.end());
    for (int64_t i = 0; i < 35; ++i) ASSERT_EQ(seen.at(static_cast<size_t>(i)), i);
  }
}

std::string why_not(QwenVlVisionConfig (*read)(const json&), const json& config) {
  return hijack::support::error_of([&] { read(config); });
}

TEST(QwenVlVisionConfig, ClassDefaults) {
  const auto older = QwenVlVisionConfig::of_qwen2_5(json::object());
  EXPECT_EQ(older.width, 3584);
  EXPECT_EQ(older.window, 4);
  EXPECT_EQ(older.whole_blocks, (std::vector<int64_t>{7, 15, 23, 31}));
  const auto newer = QwenVlVisionConfig::of_qwen3(json::object());
  EXPECT_EQ(newer.layers, 27);
  EXPECT_EQ(newer.patch, 16);
  EXPECT_EQ(newer.deep_blocks, (std::vector<int64_t>{8, 16, 24}));
}

TEST(QwenVlVisionConfig, WhatIsRefusedIsNamed) {
  const auto names = [](const std::string& message, const char* what) {
    EXPECT_NE(message.find(what), std::string::npos) << message;
  };
  names(why_not(QwenVlVisionConfig::of_qwen2_5, {{"window_size", 27}}), "window");
  names(why_not(QwenVlVisionConfig::of_qwen2_5, {{"fullatt_block_indexes", 7}}), "fullatt_block_indexes");
  names(why_not(QwenVlVisionConfig::of_qwen2_5, {{"rope_parameters", {{"rope_type", "yarn"}}}}), "yarn");
  names(why_not(QwenVlVisionConfig::of_qwen3, {{"deepstack_visual_indexes", {5, 27}}}), "27");
  names(why_not(QwenVlVisionConfig::of_qwen3, {{"deepstack_visual_indexes", {5, 5}}}), "once");
  names(why_not(QwenVlVisionConfig::of_qwen3, {{"hidden_size", 100}}), "hidden_size");
  names(why_not(QwenVlVisionConfig::of_qwen3, {{"in_channels", 1}}), "in_channels");
}

/// Weights of any shape, the same for the same name.
Tensor weight(const std::string& name, at::IntArrayRef shape) {
  const auto phase = static_cast<double>(std::hash<std::string>()(name) % 1000);
  const Tensor values = at::sin(at::arange(c10::multiply_integers(shape), at::kDouble) * 1.7 + phase);
  return values.view(shape) * (shape.size() == 1 ? 0.5 : 0.2) + (name.ends_with("norm.weight") ? 1.0 : 0.0);
}

constexpr int64_t kRows = 6, kColumns = 10;

class TowerGradient : public testing::TestWithParam<QwenVlVisionConfig (*)(const json&)> {
 protected:
  const QwenVlVisionConfig config = GetParam()({{"depth", 3},
                                                {"embed_dim", 8},
                                                {"hidden_size", 8},
                                                {"num_heads", 2},
                                                {"mlp_ratio", 2},
                                                {"intermediate_size", 12},
                                                {"out_hidden_size", 6},
                                                {"patch_size", 2},
                                                {"window_size", 8},
                                                {"fullatt_block_indexes", {1}},
                                                {"num_position_embeddings", 9},
                                                {"deepstack_visual_indexes", {2, 0}}});
  QwenVlTower tower_of(at::ScalarType type) const {
    return {config,
            [type](const std::string& name, at::IntArrayRef shape) {
              return weight(name, shape).to(type).set_requires_grad(false);
            },
            "visual"};
  }
};

TEST_P(TowerGradient, IsThatOfFiniteDifferences) {
  const QwenVlTower tower = tower_of(at::kDouble);
  const auto wave = [&](double frequency) {
    return at::sin(at::arange(kRows * kColumns * config.patch_values(), at::kDouble) * frequency)
        .view({1, kRows * kColumns, -1});
  };
  const auto value = [&](const Tensor& pixels) {
    const Tensor features = tower.forward(pixels, kRows, kColumns);
    EXPECT_EQ(features.size(1), 1 + static_cast<int64_t>(config.deep_blocks.size()));
    return features.cos().sum();
  };
  const Tensor pixels = wave(0.31), way = wave(0.47);
  const Tensor leaf = pixels.clone().set_requires_grad(true);
  const double slope = (torch::autograd::grad({value(leaf)}, {leaf})[0] * way).sum().item<double>();
  const double step = 1e-3;
  const double measured =
      (value(pixels + step * way) - value(pixels - step * way)).item<double>() / (2 * step);
  EXPECT_NEAR(slope, measured, 2e-3 * std::abs(measured) + 1e-4);
}

TEST_P(TowerGradient, AndFeaturesOfSeveralImagesAreThoseOfEach) {
  const QwenVlTower tower = tower_of(at::kFloat);
  const Tensor images = at::sin(at::arange(3 * kRows * kColumns * config.patch_values(), at::kFloat) * 0.37)
                            .view({3, kRows * kColumns, -1});
  const auto pass = [&](const Tensor& some) {
    const Tensor leaf = some.clone().set_requires_grad(true);
    const Tensor features = tower.forward(leaf, kRows, kColumns);
    return std::pair(features.detach(), torch::autograd::grad({features.cos().sum()}, {leaf})[0]);
  };
  const auto [features, gradients] = pass(images);
  for (int64_t i = 0; i < 3; ++i) {
    const auto [alone, gradient] = pass(images.narrow(0, i, 1));
    EXPECT_GT((alone - features.narrow(0, (i + 1) % 3, 1)).abs().max().item<double>(), 1e-3);
    const auto error = [](const Tensor& got, const Tensor& expected) {
      return ((got - expected).abs().max() / expected.abs().max()).item<double>();
    };
    EXPECT_LE(error(features.narrow(0, i, 1), alone), 1e-6) << i;
    EXPECT_LE(error(gradients.narrow(0, i, 1), gradient), 1e-6) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Generations, TowerGradient,
                         testing::Values(&QwenVlVisionConfig::of_qwen2, &QwenVlVisionConfig::of_qwen2_5,
                                         &QwenVlVisionConfig::of_qwen3));

}  // namespace
}  // namespace hijack::qwen_vl_tower_test
