// Image encoders against transformers: tests/golden/encoders/make.py made the folders and the expectations.
#include <gtest/gtest.h>

#include "models/checkpoint/safetensors.h"
#include "models/encoders/encoder_model.h"
#include "models/encoders/tower_encoder.h"
#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "tests/support/closeness.h"
#include "tests/support/temporary_folder.h"

namespace hijack::encoders_golden_test {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden";

std::string number(double value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

/// sin(0), sin(1), ...: the weights of make.py.
Tensor waves(const Tensor& like) {
  return at::sin(at::arange(like.numel(), at::kFloat)).view(like.sizes());
}

class EncodersGolden : public testing::TestWithParam<const char*> {
 protected:
  EncodersGolden() : folder_(kGolden / "encoders" / GetParam()), model_(load_model(folder_)) {
    const auto alone = std::dynamic_pointer_cast<const EncoderModel>(model_);
    if (alone) encoder_ = alone->encoder();
    tensors_ = load_safetensors(folder_ / "expected.safetensors");
    json_ = nlohmann::json::parse(read_file(folder_ / "expected.json"));
  }
  Tensor photo(const std::string& name) const {
    return load_image(kGolden / "qwen2_vl/images" / (name + (name == "turned" ? ".jpg" : ".png")));
  }

  std::filesystem::path folder_;
  std::shared_ptr<const VisionLanguageModel> model_;
  std::shared_ptr<const TowerEncoder> encoder_;
  TensorMap tensors_;
  nlohmann::json json_;
};

TEST_P(EncodersGolden, PixelsFeaturesAndGradients) {
  ASSERT_TRUE(encoder_);
  double worst_gradient = 0, worst_embedding = 0;
  for (const std::string name : json_.at("pictures")) {
    const Tensor pixels = encoder_->preprocess(photo(name)).detach().requires_grad_(true);
    EXPECT_LE((pixels - tensors_.at(name + ".pixel_values")).abs().max().item<double>(), 1e-6) << name;
    const EncodedImages seen = encoder_->encode_pixels(pixels);
    worst_embedding =
        std::max({worst_embedding, support::relative_error(seen.embedding, tensors_.at(name + ".embedding")),
                  support::relative_error(seen.patches, tensors_.at(name + ".patches"))});
    const Tensor sum = (seen.embedding * waves(seen.embedding)).sum() +
                       (seen.patches * waves(seen.patches)).sum() / static_cast<double>(seen.patches.size(1));
    sum.backward();
    worst_gradient =
        std::max(worst_gradient, support::relative_error(pixels.grad(), tensors_.at(name + ".gradient")));
  }
  EXPECT_LE(worst_embedding, 2e-5);
  EXPECT_LE(worst_gradient, 1e-4);
  RecordProperty("features", number(worst_embedding));
  RecordProperty("gradient", number(worst_gradient));
}

TEST_P(EncodersGolden, TextsAndLogits) {
  const auto& texts = json_.at("texts");
  EXPECT_EQ(encoder_->reads_text(), !texts.empty());
  if (texts.empty()) {
    EXPECT_THROW(encoder_->text_embedding("x"), Error);
    return;
  }
  std::vector<Tensor> images, words;
  for (const std::string name : json_.at("pictures"))
    images.push_back(encoder_->encode(photo(name)).embedding);
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string text = texts[i].at("text");
    EXPECT_EQ(encoder_->text_side()->ids(text), texts[i].at("ids").get<TokenIds>()) << text;
    words.push_back(encoder_->text_embedding(text));
    EXPECT_LE(support::relative_error(words.back(), tensors_.at("text" + std::to_string(i) + ".embedding")),
              2e-5)
        << text;
  }
  EXPECT_LE(support::relative_error(encoder_->logits_per_image(at::cat(images), at::cat(words)),
                                    tensors_.at("logits_per_image")),
            2e-5);
  EXPECT_THROW(encoder_->text_embedding(std::string(2000, 'q')), Error);
}

/// As a model: sees images, says nothing, and takes several at a time.
TEST_P(EncodersGolden, AsAModel) {
  const Tensor photo = this->photo("wide");
  const Tensor seen = model_->to_input_space(photo);
  EXPECT_EQ(seen.size(2), std::string(GetParam()).starts_with("dinov2") ? 32 : 28);  // 28 in the middle of 32
  EXPECT_TRUE(at::equal(model_->to_input_space(seen), seen));
  EXPECT_TRUE(on_lattice(seen));
  EXPECT_TRUE(at::equal(model_->preprocess(seen).values, model_->preprocess(photo).values));
  EXPECT_TRUE(at::allclose(model_->image_features(model_->preprocess(photo)), tensors_.at("wide.patches"),
                           1e-4, 1e-4));
  EXPECT_THROW(model_->tokenizer(), Error);
  EXPECT_THROW(model_->language_model(), Error);
  const Tensor two = at::cat({seen, model_->to_input_space(this->photo("tall"))});
  EXPECT_TRUE(at::allclose(encoder_->encode(two).embedding.narrow(0, 1, 1),
                           encoder_->encode(two.narrow(0, 1, 1)).embedding, 1e-5, 1e-5));
  EXPECT_TRUE(is_encoder_folder(folder_));
}

INSTANTIATE_TEST_SUITE_P(Folders, EncodersGolden,
                         testing::Values("clip", "clip_gelu", "open_clip", "siglip", "siglip1", "dinov2",
                                         "dinov2_giant"),
                         [](const auto& one) { return std::string(one.param); });

/// A folder of SigLIP 1 without one of its two tokenizers, and with other settings.
TEST(SiglipTokenizer, IsReadFromEitherFile) {
  const support::TemporaryFolder folder;
  const auto copied = [&](const std::string& name, const std::string& without) {
    std::filesystem::copy(kGolden / "encoders/siglip1", folder.path() / name);
    std::filesystem::remove(folder.path() / name / without);
    return folder.path() / name;
  };
  const auto ids = [](const std::filesystem::path& from, const std::string& text) {
    return std::dynamic_pointer_cast<const EncoderModel>(load_model(from))->encoder()->text_side()->ids(text);
  };
  const auto json = copied("json", "spiece.model"), pieces = copied("pieces", "tokenizer.json");
  std::filesystem::remove(pieces / "tokenizer_config.json");
  for (const auto& one : nlohmann::json::parse(read_file(json / "expected.json")).at("texts")) {
    const std::string text = one.at("text");
    EXPECT_EQ(ids(json, text), one.at("ids").get<TokenIds>()) << text;
    EXPECT_EQ(ids(pieces, text), one.at("ids").get<TokenIds>()) << text;
  }
  auto settings = nlohmann::json::parse(read_file(json / "tokenizer_config.json"));
  const auto changed = [&](const char* key, const nlohmann::json& value) {
    auto other = settings;
    other[key] = value;
    const auto place = folder.path() / key;
    std::filesystem::copy(json, place);
    write_file(place / "tokenizer_config.json", other.dump());
    return place;
  };
  EXPECT_EQ(ids(changed("pad_token", "<pad>"), "a").back(), 0);
  settings.erase("pad_token");
  EXPECT_EQ(ids(changed("none", 0), "a").back(), 1) << "the class's own";
  const auto large = changed("do_lower_case", false);
  std::filesystem::copy_file(kGolden / "encoders/siglip1/spiece.model", large / "spiece.model");
  EXPECT_NE(ids(large, "CAT"), ids(large, "cat"));
  EXPECT_EQ(ids(json, "CAT"), ids(json, "cat"));
}

TEST(EncoderOfAModel, IsItsImageSide) {
  const auto model = load_model(kGolden / "llava/clip_gqa");
  const auto encoder = encoder_of(model);
  const Tensor photo = load_image(kGolden / "qwen2_vl/images/wide.png");
  const Tensor tokens = model->image_features(model->preprocess(photo));
  EXPECT_TRUE(at::equal(encoder->encode(photo).patches, tokens));
  EXPECT_TRUE(at::equal(encoder->encode(photo).embedding, tokens.mean(1)));
  EXPECT_FALSE(encoder->reads_text());
  EXPECT_THROW(encoder->text_embedding("x"), Error);
  EXPECT_FALSE(is_encoder_folder(kGolden / "llava/clip_gqa"));
}

}  // namespace
}  // namespace hijack::encoders_golden_test
