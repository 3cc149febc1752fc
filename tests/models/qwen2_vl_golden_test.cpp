// Qwen2-VL against transformers: tests/golden/qwen2_vl/make.py made the checkpoints and the expectations.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "tests/support/family_golden.h"

namespace hijack::qwen2_vl_golden_test {
namespace {

class Qwen2VlGolden : public testing::TestWithParam<const char*> {
 protected:
  FamilyGolden golden_{std::string("qwen2_vl/") + GetParam()};
};

TEST_P(Qwen2VlGolden, IdsAndPixels) {
  golden_.expect_ids_and_pixels();
}

TEST_P(Qwen2VlGolden, LogitsAndGradients) {
  golden_.expect_logits_and_gradients();
}

TEST_P(Qwen2VlGolden, BatchOfContexts) {
  golden_.expect_batch_gradient();
}

TEST_P(Qwen2VlGolden, Replies) {
  golden_.expect_replies();
}

TEST_P(Qwen2VlGolden, InputSpaceIsAFixedPoint) {
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

INSTANTIATE_TEST_SUITE_P(Checkpoints, Qwen2VlGolden, testing::Values("small", "hub_bf16"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace hijack::qwen2_vl_golden_test
