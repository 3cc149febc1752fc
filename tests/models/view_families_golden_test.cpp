// Families that cut a photo into views, against transformers: tests/golden/idefics3/make.py and
// tests/golden/llava_onevision/make.py made the checkpoints and the expectations.
#include <gtest/gtest.h>

#include "models/checkpoint/safetensors.h"
#include "models/load_model.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "tests/support/closeness.h"

namespace hijack::view_families_golden_test {
namespace {

using namespace support;

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden";

struct Case {
  std::string key;
  std::string image;
  std::optional<std::string> reply;
  Query query;
  TokenIds input_ids;
  std::string target;
  TokenIds target_ids;
  double loss = 0;
  std::string image_key() const { return key.substr(0, key.find('.')); }
};

class ViewFamiliesGolden : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    folder_ = kGolden / GetParam();
    model_ = load_model(folder_, {.dtype = "float32"});
    expected_ = load_safetensors(folder_ / "expected.safetensors");
    json_ = nlohmann::json::parse(read_file(folder_ / "expected.json"));
    for (const auto& row : json_.at("cases"))
      cases_.push_back(
          {.key = row.at("key"),
           .image = row.at("image"),
           .reply = row.at("reply").is_null() ? std::nullopt : std::optional<std::string>(row.at("reply")),
           .query = {.prompt = row.at("prompt")},
           .input_ids = row.at("input_ids"),
           .target = row.at("target"),
           .target_ids = row.at("target_ids"),
           .loss = row.at("loss")});
    ASSERT_FALSE(cases_.empty());
  }

  /// Pixel values of a case's image, as a leaf that collects gradients.
  Pixels pixels_of(const Case& one) const {
    Pixels pixels = model_->preprocess(load_image(folder_.parent_path() / one.image));
    pixels.values = pixels.values.detach().requires_grad_(true);
    return pixels;
  }

  /// Stored as bytes before normalization.
  Tensor expected_pixels(const Case& one) const {
    const auto channels = [&](const char* key) {
      return at::tensor(json_.at(key).get<std::vector<double>>()).to(at::kFloat).reshape({1, 3, 1, 1});
    };
    const Tensor levels = expected_.at(one.image_key() + ".levels").to(at::kFloat) / 255;
    return (levels - channels("mean")) / channels("std");
  }

  Tensor logits_of(const Case& one, const Pixels& pixels) const {
    return model_->target_logits(pixels, std::vector<Query>{one.query}, std::vector<TokenIds>{one.target_ids})
        .at(0);
  }

  /// Remembers the largest error of a kind, for the table in README.md (--gtest_output=xml).
  void note(const std::string& kind, double error) {
    double& most = worst_[kind];
    most = std::max(most, error);
    RecordProperty(kind, std::to_string(most * 1e9) + "e-9");
  }

  std::filesystem::path folder_;
  std::shared_ptr<const VisionLanguageModel> model_;
  TensorMap expected_;
  nlohmann::json json_;
  std::vector<Case> cases_;
  std::map<std::string, double> worst_;
};

TEST_P(ViewFamiliesGolden, TokenIdsAreEqual) {
  EXPECT_EQ(model_->family(), json_.at("family").get<std::string>());
  for (const auto& one : cases_) {
    EXPECT_EQ(model_->input_ids(pixels_of(one), one.query), one.input_ids) << one.key;
    EXPECT_EQ(model_->target_ids(one.target), one.target_ids) << one.key;
  }
  const auto& dialog = json_.at("dialog");
  const Query query = {.prompt = dialog.at("prompt"),
                       .system = dialog.at("system"),
                       .earlier = {{dialog.at("user"), dialog.at("assistant")}}};
  EXPECT_EQ(model_->input_ids(pixels_of(cases_.front()), query), dialog.at("input_ids").get<TokenIds>());
}

TEST_P(ViewFamiliesGolden, PixelValuesAreEqual) {
  for (const auto& one : cases_) {
    const Tensor expected = expected_pixels(one);
    const Tensor actual = pixels_of(one).values.detach();
    ASSERT_EQ(actual.sizes(), expected.sizes()) << one.key;
    const double error = (actual - expected).abs().max().item<double>();
    EXPECT_LE(error, 1e-5) << one.key;
    note("pixels", error);
  }
}

TEST_P(ViewFamiliesGolden, LogitsLossAndGradientAreEqual) {
  for (const auto& one : cases_) {
    const Pixels pixels = pixels_of(one);
    const Tensor logits = logits_of(one, pixels);
    const Tensor& expected = expected_.at(one.key + ".target_logits");
    ASSERT_EQ(logits.sizes(), expected.sizes());
    EXPECT_LE(relative_error(logits, expected), 2e-5) << one.key;
    note("logits", relative_error(logits.detach(), expected));
    const Tensor loss = mean_loss(logits, one.target_ids);
    EXPECT_NEAR(loss.item<double>(), one.loss, 1e-4) << one.key;
    const auto gradient = expected_.find(one.key + ".pixel_gradient");
    if (gradient == expected_.end()) continue;
    loss.backward();
    EXPECT_GT(cosine(pixels.values.grad(), gradient->second), 0.99999) << one.key;
    EXPECT_LE(relative_error(pixels.values.grad(), gradient->second), 1e-4) << one.key;
    note("gradient", relative_error(pixels.values.grad(), gradient->second));
  }
}

TEST_P(ViewFamiliesGolden, BatchOfContextsHasTheSameGradient) {
  ASSERT_EQ(cases_.at(0).image, cases_.at(1).image);
  const Pixels pixels = pixels_of(cases_[0]);
  const auto logits =
      model_->target_logits(pixels, std::vector<Query>{cases_[0].query, cases_[1].query},
                            std::vector<TokenIds>{cases_[0].target_ids, cases_[1].target_ids});
  const Tensor loss = mean_loss(logits[0], cases_[0].target_ids) + mean_loss(logits[1], cases_[1].target_ids);
  loss.backward();
  const Tensor& expected = expected_.at("batch_gradient");
  EXPECT_GT(cosine(pixels.values.grad(), expected), 0.99999);
  EXPECT_LE(relative_error(pixels.values.grad(), expected), 1e-4);
  for (size_t i = 0; i < 2; ++i)
    EXPECT_LE(relative_error(logits[i], expected_.at(cases_[i].key + ".target_logits")), 2e-5);
}

TEST_P(ViewFamiliesGolden, GreedyRepliesAreEqual) {
  int compared = 0;
  for (const auto& one : cases_) {
    if (!one.reply) continue;
    ++compared;
    EXPECT_EQ(
        model_->generate(pixels_of(one), std::vector<Query>{one.query}, {.max_new_tokens = 16}).at(0).text,
        *one.reply)
        << one.key;
  }
  EXPECT_GE(compared, 2);
}

TEST_P(ViewFamiliesGolden, PhotosReachTheInputSpaceAndStayThere) {
  for (const auto& one : cases_) {
    const Tensor photo = load_image(folder_.parent_path() / one.image);
    const Tensor input = model_->to_input_space(photo);
    EXPECT_TRUE(on_lattice(input)) << one.key;
    if (json_.at("input_space_is_fixed").get<bool>()) {
      EXPECT_TRUE(at::equal(model_->to_input_space(input), input)) << one.key;
    }
    // gradients reach the image through every view
    const Tensor leaf = input.clone().requires_grad_(true);
    const Tensor views = model_->preprocess(leaf).values;
    views.square().sum().backward();
    EXPECT_GT(leaf.grad().abs().sum(/*dim=*/1).gt(0).to(at::kFloat).mean().item<double>(), 0.9) << one.key;
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, ViewFamiliesGolden,
                         testing::Values("idefics3/one_view", "idefics3/hub_tiles", "idefics3/grid19",
                                         "llava_onevision/anyres", "llava_onevision/hub_scaled",
                                         "llava_onevision/clip"),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '/', '_');
                           return name;
                         });

}  // namespace
}  // namespace hijack::view_families_golden_test
