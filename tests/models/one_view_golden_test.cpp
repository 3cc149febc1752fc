// `--views one` against transformers: tests/golden/one_view.py made the expectations.
#include <gtest/gtest.h>

#include "models/checkpoint/safetensors.h"
#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/json.h"
#include "tests/support/closeness.h"

namespace hijack::one_view_golden_test {
namespace {

using namespace support;

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden";

TEST(OneViewGolden, PixelsLogitsGradientAndReplyAreEqual) {
  const auto cases = read_json(kGolden / "one_view/expected.json").at("cases");
  const TensorMap expected = load_safetensors(kGolden / "one_view/expected.safetensors");
  ASSERT_GE(cases.size(), 4u);
  for (const auto& one : cases) {
    const auto key = one.at("key").get<std::string>();
    SCOPED_TRACE(key);
    const auto model = load_model(kGolden / one.at("folder").get<std::string>(), {.views = "one"});
    Pixels pixels = model->preprocess(load_image(kGolden / one.at("image").get<std::string>()));
    EXPECT_EQ(pixels.values.size(0), 1);
    EXPECT_LE(largest_difference(pixels.values, expected.at(key + ".pixel_values")), 1e-5);
    pixels.values = pixels.values.detach().requires_grad_(true);
    const std::vector<Query> queries = {{.prompt = one.at("prompt")}};
    const std::vector<TokenIds> targets = {model->target_ids(one.at("target").get<std::string>())};
    EXPECT_EQ(model->input_ids(pixels, queries[0]), one.at("input_ids").get<TokenIds>());
    const Tensor logits = model->target_logits(pixels, queries, targets).at(0);
    EXPECT_LE(relative_error(logits, expected.at(key + ".target_logits")), 2e-5);
    at::cross_entropy_loss(logits, at::tensor(targets[0], at::kLong)).backward();
    EXPECT_LE(relative_error(pixels.values.grad(), expected.at(key + ".pixel_gradient")), 1e-4);
    EXPECT_EQ(model->generate(pixels, queries, {.max_new_tokens = 8}).at(0).text, one.at("reply"));
  }
}

TEST(OneViewGolden, TheInputSpaceIsTheView) {
  const auto model = load_model(kGolden / "llava_onevision/anyres", {.views = "one"});
  const ImageSpec spec = model->image_spec();
  const Tensor input = model->to_input_space(load_image(kGolden / "idefics3/images/wide.png"));
  EXPECT_EQ(input.sizes(), at::IntArrayRef({1, 3, spec.height, spec.width}));
  EXPECT_TRUE(at::equal(model->to_input_space(input), input));
  EXPECT_THROW(load_model(kGolden / "llava_onevision/anyres", {.views = "two"}), Error);
}

}  // namespace
}  // namespace hijack::one_view_golden_test
