// The Qwen-VL families against transformers: make.py in tests/golden/qwen2_vl, qwen2_5_vl and qwen3_vl made
// the checkpoints and the expectations.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/family_golden.h"

namespace hijack::qwen_vl_golden_test {
namespace {

class QwenVlGolden : public testing::TestWithParam<const char*> {
 protected:
  FamilyGolden golden_{GetParam()};
};

TEST_P(QwenVlGolden, IdsAndPixels) {
  golden_.expect_ids_and_pixels();
}

TEST_P(QwenVlGolden, LogitsAndGradients) {
  golden_.expect_logits_and_gradients();
}

TEST_P(QwenVlGolden, BatchOfContexts) {
  golden_.expect_batch_gradient();
}

TEST_P(QwenVlGolden, Replies) {
  golden_.expect_replies();
}

TEST_P(QwenVlGolden, Dialog) {
  if (!std::string(GetParam()).starts_with("qwen2_vl/")) golden_.expect_dialog();
}

TEST_P(QwenVlGolden, InputSpaceIsAFixedPoint) {
  const auto& model = golden_.model();
  const ImageSpec spec = model.image_spec();
  const std::vector<std::pair<int64_t, int64_t>> sizes = {
      {spec.height, spec.width}, {37, 61}, {300, 20}, {20, 300}, {1, 150}, {5, 5}};
  for (const auto& [height, width] : sizes) {
    const Tensor photo = at::full({1, 3, height, width}, 0.5);
    const Tensor image = model.to_input_space(photo);
    if (height == spec.height && width == spec.width) {
      EXPECT_EQ(image.sizes(), photo.sizes());
    }
    EXPECT_EQ(model.to_input_space(image).sizes(), image.sizes()) << height << "x" << width;
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, QwenVlGolden,
                         testing::Values("qwen2_vl/small", "qwen2_vl/hub_bf16", "qwen2_5_vl/small",
                                         "qwen2_5_vl/hub_bf16", "qwen3_vl/small", "qwen3_vl/hub_bf16"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '/', '_');
                           return name;
                         });

}  // namespace
}  // namespace hijack::qwen_vl_golden_test
