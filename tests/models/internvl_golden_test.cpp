// InternVL against transformers: tests/golden/internvl/make.py made the checkpoints and the expectations.
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "tests/support/expect_says.h"
#include "tests/support/family_golden.h"

namespace hijack::internvl_golden_test {
namespace {

namespace fs = std::filesystem;
const fs::path kGolden = fs::path(HIJACK_SOURCE_DIR) / "tests/golden";

class InternVlGolden : public testing::TestWithParam<const char*> {
 protected:
  FamilyGolden golden_{std::string("internvl/") + GetParam()};
};

TEST_P(InternVlGolden, IdsAndPixels) {
  golden_.expect_ids_and_pixels();
}

TEST_P(InternVlGolden, LogitsAndGradients) {
  golden_.expect_logits_and_gradients();
}

TEST_P(InternVlGolden, BatchOfContexts) {
  golden_.expect_batch_gradient();
}

TEST_P(InternVlGolden, Replies) {
  golden_.expect_replies();
}

TEST_P(InternVlGolden, Dialog) {
  golden_.expect_dialog();
}

TEST_P(InternVlGolden, InputSpaceIsAFixedPoint) {
  const auto& model = golden_.model();
  const ImageSpec spec = model.image_spec();
  const std::vector<std::pair<int64_t, int64_t>> sizes = {
      {spec.height, spec.width}, {37, 61}, {300, 20}, {20, 300}, {1, 150}, {5, 5}, {448, 448}};
  for (const auto& [height, width] : sizes) {
    const Tensor photo = at::full({1, 3, height, width}, 0.5);
    const Tensor image = model.to_input_space(photo);
    EXPECT_EQ(model.to_input_space(image).sizes(), image.sizes()) << height << "x" << width;
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, InternVlGolden, testing::Values("small", "six", "hub_bf16"),
                         [](const auto& parameter) { return std::string(parameter.param); });

/// A copy of a golden checkpoint with config.json changed.
std::string why_not(const std::function<void(nlohmann::json&)>& change, const char* weights_of = nullptr) {
  const fs::path folder = fs::path(testing::TempDir()) / ("hijack_internvl_" + std::to_string(::getpid()));
  fs::remove_all(folder);
  fs::create_directories(folder);
  for (const auto& entry : fs::directory_iterator(kGolden / "internvl/small")) fs::copy(entry.path(), folder);
  auto config = nlohmann::json::parse(read_file(folder / "config.json"));
  change(config);
  write_file(folder / "config.json", config.dump());
  const auto overwrite = fs::copy_options::overwrite_existing;
  if (weights_of != nullptr)
    fs::copy(kGolden / weights_of / "model.safetensors", folder / "model.safetensors", overwrite);
  std::string said = "loaded";
  try {
    load_model(folder);
  } catch (const Error& error) {
    said = error.what();
  }
  fs::remove_all(folder);
  return said;
}

TEST(InternVl, WhatDoesNotFitIsNamed) {
  using json = nlohmann::json;
  EXPECT_EQ(why_not([](json&) {}), "loaded");
  EXPECT_SAYS(why_not([](json&) {}, "llava/clip_gqa"), "config.json asks for");
  EXPECT_SAYS(why_not([](json& c) { c["vision_config"]["use_qk_norm"] = true; }), "attention.q_norm.weight");
  EXPECT_SAYS(why_not([](json& c) { c["vision_config"]["attention_bias"] = false; }),
              "tensors that this kind of model does not use");
  EXPECT_SAYS(why_not([](json& c) { c["vision_config"]["norm_type"] = "batch_norm"; }), "batch_norm");
  EXPECT_SAYS(why_not([](json& c) { c["vision_config"]["image_size"] = {24, 32}; }), "two equal ones");
  EXPECT_SAYS(why_not([](json& c) { c["vision_config"]["model_type"] = "siglip_vision_model"; }),
              "must be internvl_vision");
  EXPECT_SAYS(why_not([](json& c) { c["downsample_ratio"] = 0.3; }), "downsample_ratio");
  EXPECT_SAYS(why_not([](json& c) { c["downsample_ratio"] = 0.25; }), "does not divide");
  EXPECT_SAYS(why_not([](json& c) { c["vision_feature_layer"] = {-1, -2}; }), "one whole number");
  EXPECT_SAYS(why_not([](json& c) { c["vision_feature_layer"] = 3; }), "vision_feature_layer");
  EXPECT_SAYS(why_not([](json& c) { c["vision_feature_select_strategy"] = "full"; }), "full");
  EXPECT_SAYS(why_not([](json& c) { c["text_config"]["model_type"] = "t5"; }), "t5");
}

}  // namespace
}  // namespace hijack::internvl_golden_test
