// The LLaVA family against transformers: tests/golden/llava/make.py made the checkpoints and the
// expectations.
#include <gtest/gtest.h>

#include "models/checkpoint/safetensors.h"
#include "models/load_model.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "tests/support/closeness.h"

namespace hijack::llava_golden_test {
namespace {

using namespace support;

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/llava";

struct Case {
  std::string key;
  std::string image;
  std::string reply;
  Query query;
  TokenIds input_ids;
  std::string target;
  TokenIds target_ids;
  double loss = 0;
};

std::string image_key(const Case& one) {
  return one.key.substr(0, one.key.find('.'));
}

class LlavaGolden : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    folder_ = kGolden / GetParam();
    model_ = load_model(folder_, {.dtype = "float32"});
    expected_ = load_safetensors(folder_ / "expected.safetensors");
    json_ = nlohmann::json::parse(read_file(folder_ / "expected.json"));
    for (const auto& row : json_.at("cases"))
      cases_.push_back({.key = row.at("key"),
                        .image = row.at("image"),
                        .reply = row.at("reply"),
                        .query = {.prompt = row.at("prompt")},
                        .input_ids = row.at("input_ids"),
                        .target = row.at("target"),
                        .target_ids = row.at("target_ids"),
                        .loss = row.at("loss")});
    ASSERT_FALSE(cases_.empty());
  }

  /// Pixel values of a case's image, as a leaf that collects gradients.
  Pixels pixels_of(const Case& one) const {
    Pixels pixels = model_->preprocess(load_image(kGolden / one.image));
    pixels.values = pixels.values.detach().requires_grad_(true);
    return pixels;
  }

  /// The cases that share the first case's image.
  std::vector<Case> first_image_cases() const {
    std::vector<Case> found;
    for (const auto& one : cases_)
      if (one.image == cases_.front().image) found.push_back(one);
    return found;
  }

  std::filesystem::path folder_;
  std::shared_ptr<const VisionLanguageModel> model_;
  TensorMap expected_;
  nlohmann::json json_;
  std::vector<Case> cases_;
};

TEST_P(LlavaGolden, TokenIdsAreEqual) {
  for (const auto& one : cases_) {
    EXPECT_EQ(model_->input_ids({}, one.query), one.input_ids) << one.key;
    EXPECT_EQ(model_->target_ids(one.target), one.target_ids) << one.key;
  }
  const auto& system = json_.at("system");
  EXPECT_EQ(model_->input_ids({}, {.prompt = system.at("prompt"), .system = system.at("system")}),
            system.at("input_ids").get<TokenIds>());
}

TEST_P(LlavaGolden, PixelValuesAreEqual) {
  for (const auto& one : cases_) {
    const Tensor& expected = expected_.at(image_key(one) + ".pixel_values");
    const Tensor actual = pixels_of(one).values.detach();
    ASSERT_EQ(actual.sizes(), expected.sizes());
    EXPECT_LE((actual - expected).abs().max().item<double>(), 1e-5) << one.key;
  }
}

TEST_P(LlavaGolden, LogitsLossAndGradientAreEqual) {
  for (const auto& one : cases_) {
    const Pixels pixels = pixels_of(one);
    const Tensor logits =
        model_->target_logits(pixels, std::vector<Query>{one.query}, std::vector<TokenIds>{one.target_ids})
            .at(0);
    const auto expected_logits = expected_.find(one.key + ".target_logits");
    if (expected_logits != expected_.end()) {
      ASSERT_EQ(logits.sizes(), expected_logits->second.sizes());
      EXPECT_LE(relative_error(logits, expected_logits->second), 2e-5) << one.key;
    }
    const Tensor loss = mean_loss(logits, one.target_ids);
    EXPECT_NEAR(loss.item<double>(), one.loss, 1e-4) << one.key;
    const auto expected_gradient = expected_.find(one.key + ".pixel_gradient");
    if (expected_gradient == expected_.end()) continue;
    loss.backward();
    EXPECT_GT(cosine(pixels.values.grad(), expected_gradient->second), 0.999999) << one.key;
    EXPECT_LE(relative_error(pixels.values.grad(), expected_gradient->second), 1e-3) << one.key;
  }
}

TEST_P(LlavaGolden, BatchOfContextsHasTheSameGradient) {
  const auto cases = first_image_cases();
  ASSERT_EQ(cases.size(), 2u);
  const Pixels pixels = pixels_of(cases[0]);
  const auto logits = model_->target_logits(pixels, std::vector<Query>{cases[0].query, cases[1].query},
                                            std::vector<TokenIds>{cases[0].target_ids, cases[1].target_ids});
  const Tensor loss = mean_loss(logits[0], cases[0].target_ids) + mean_loss(logits[1], cases[1].target_ids);
  loss.backward();
  const Tensor& expected = expected_.at(image_key(cases[0]) + ".batch_gradient");
  EXPECT_GT(cosine(pixels.values.grad(), expected), 0.999999);
  EXPECT_LE(relative_error(pixels.values.grad(), expected), 1e-3);
  for (size_t i = 0; i < cases.size(); ++i)
    EXPECT_LE(relative_error(logits[i], expected_.at(cases[i].key + ".target_logits")), 2e-5) << cases[i].key;
}

TEST_P(LlavaGolden, GreedyRepliesAreEqual) {
  for (const auto& one : cases_)
    EXPECT_EQ(
        model_->generate(pixels_of(one), std::vector<Query>{one.query}, {.max_new_tokens = 16}).at(0).text,
        one.reply)
        << one.key;
}

TEST_P(LlavaGolden, RepliesOfABatchAreEqual) {
  const auto cases = first_image_cases();
  std::vector<Query> queries;
  for (const auto& one : cases) queries.push_back(one.query);
  const auto replies = model_->generate(pixels_of(cases[0]), queries, {.max_new_tokens = 16});
  ASSERT_EQ(replies.size(), cases.size());
  for (size_t i = 0; i < cases.size(); ++i) EXPECT_EQ(replies[i].text, cases[i].reply) << cases[i].key;
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, LlavaGolden,
                         testing::Values("clip_gqa", "hub_bf16", "siglip", "lists", "gemma2", "hub_gemma"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace hijack::llava_golden_test
