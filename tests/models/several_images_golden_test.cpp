// N images with B prompts each in one pass, on every family: what is found is that of each image alone.
#include <gtest/gtest.h>

#include "models/families/image_prompt_model.h"
#include "models/load_model.h"
#include "models/prefix/images_at_once.h"
#include "src/base/error.h"
#include "tests/support/golden_families.h"

namespace hijack::several_images_test {
namespace {

/// Puts back what all other tests run with.
struct ImageBatch {
  explicit ImageBatch(int64_t images) { set_image_batch(images); }
  ~ImageBatch() { set_image_batch(kImagesByMemory); }
};

class SeveralImages : public testing::TestWithParam<std::pair<const std::string, std::string>> {
 protected:
  std::shared_ptr<const VisionLanguageModel> model_ = load_model(
      std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden" / GetParam().second, {.dtype = "float32"});

  Tensor image(int64_t number, int64_t more = 0) const {
    const ImageSpec spec = model_->image_spec();
    const Tensor y = at::linspace(0, 1, spec.height + more).view({1, 1, -1, 1});
    const Tensor x = at::linspace(0, 1, spec.width + more).view({1, 1, 1, -1});
    const Tensor phase = at::tensor({0.0, 2.1, 4.2}, at::kFloat).view({1, 3, 1, 1});
    const Tensor color = 0.5 + 0.4 * (9 * x + 5 * y + phase + number).sin() * (7 * y - 3 * x * x).cos();
    return (color * 255).round() / 255;
  }
  static std::vector<Query> queries(size_t count) {
    const std::vector<Query> all = {{.prompt = "What is in this picture?"},
                                    {.prompt = "What is in this cat"},
                                    {.prompt = "Say it"},
                                    {.prompt = "What is in this picture?"}};
    return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count)};
  }
  std::vector<TokenIds> targets(size_t count) const {
    std::vector<TokenIds> all;
    for (const char* text : {"the cat", "a dog in it", "the mat", "cat"})
      all.push_back(model_->target_ids(text));
    all.resize(count);
    return all;
  }

  struct Step {
    std::vector<Tensor> logits, gradients;
  };
  /// Of images of their own number of queries; the loss of later ones counts more.
  Step step(const std::vector<Tensor>& images, const std::vector<size_t>& counts, int64_t at_once) const {
    const ImageBatch batch(at_once);
    std::vector<Tensor> leaves;
    std::vector<ImageQueries> asked;
    for (size_t i = 0; i < images.size(); ++i) {
      leaves.push_back(images[i].clone().requires_grad_(true));
      asked.push_back({model_->preprocess(leaves[i]), queries(counts[i]), targets(counts[i])});
    }
    Step step;
    Tensor loss = at::zeros({});
    double weight = 1;
    const auto all = model_->logits_of_images(asked);
    EXPECT_EQ(all.size(), asked.size());
    for (size_t i = 0; i < all.size(); ++i) {
      EXPECT_EQ(all[i].size(), counts[i]);
      for (size_t k = 0; k < all[i].size(); ++k) {
        step.logits.push_back(all[i][k]);
        const Tensor ids = at::tensor(asked[i].targets[k], at::kLong);
        loss = loss + weight * at::cross_entropy_loss(all[i][k], ids);
        weight += 0.3;
      }
    }
    step.gradients = torch::autograd::grad({loss}, leaves);
    return step;
  }
};

void expect_close(const std::vector<Tensor>& got, const std::vector<Tensor>& expected, double tolerance) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    ASSERT_EQ(got[i].sizes(), expected[i].sizes()) << i;
    const double largest = expected[i].abs().max().item<double>();
    EXPECT_GT(largest, 0) << i;
    EXPECT_LE((got[i] - expected[i]).abs().max().item<double>(), tolerance * largest) << i;
  }
}

TEST_P(SeveralImages, LogitsAndGradientsAreThoseOfEachAlone) {
  const std::vector<Tensor> images = {image(0), image(1), image(2), image(0), image(3)};
  for (const std::vector<size_t>& counts :
       {std::vector<size_t>{1, 1, 1, 1, 1}, std::vector<size_t>{4, 4, 4, 4, 4}, {2, 4, 1, 3, 2}}) {
    const Step alone = step(images, counts, 1);
    for (const int64_t at_once : {int64_t{kImagesByMemory}, int64_t{2}}) {
      const Step together = step(images, counts, at_once);
      expect_close(together.logits, alone.logits, 2e-5);
      expect_close(together.gradients, alone.gradients, 1e-4);
    }
  }
}

/// Together and alone agree within rounding, so that a draw may fall on the border between two tokens: this
/// seed's draws fall on none.
constexpr uint64_t kSeed = 4;

TEST_P(SeveralImages, RepliesAreThoseOfEachAlone) {
  std::vector<ImageQueries> asked;
  for (int64_t number = 0; number < 5; ++number)
    asked.push_back({model_->preprocess(image(number)), queries(number % 2 == 0 ? 1 : 3)});
  for (const double temperature : {0.0, 1.0}) {
    const GenerateOptions options{.max_new_tokens = 10, .temperature = temperature, .seed = kSeed};
    const auto replies = [&](int64_t at_once) {
      const ImageBatch batch(at_once);
      return model_->replies_of_images(asked, options);
    };
    const auto alone = replies(1);
    ASSERT_EQ(alone.size(), asked.size());
    EXPECT_EQ(replies(kImagesByMemory), alone) << "at temperature " << temperature;
    EXPECT_EQ(replies(3), alone) << "at temperature " << temperature;
    for (size_t i = 0; i < asked.size() && temperature == 0; ++i)
      EXPECT_EQ(alone[i], model_->generate(asked[i].pixels, asked[i].queries, options)) << i;
  }
}

TEST_P(SeveralImages, OfDifferentSizesAndWithoutQuestions) {
  const ImageBatch batch(4);
  std::vector<ImageQueries> asked = {{model_->preprocess(image(0)), queries(2)},
                                     {model_->preprocess(image(1)), {}},
                                     {model_->preprocess(image(2, 40)), queries(1)},
                                     {model_->preprocess(image(3)), queries(2)}};
  const GenerateOptions options{.max_new_tokens = 6};
  const auto together = model_->replies_of_images(asked, options);
  ASSERT_EQ(together.size(), asked.size());
  for (size_t i = 0; i < asked.size(); ++i) {
    ASSERT_EQ(together[i].size(), asked[i].queries.size());
    if (together[i].empty()) continue;
    EXPECT_EQ(together[i], model_->generate(asked[i].pixels, asked[i].queries, options)) << i;
  }
  EXPECT_TRUE(model_->replies_of_images({}, options).empty());
  EXPECT_TRUE(model_->logits_of_images({}).empty());
}

INSTANTIATE_TEST_SUITE_P(Families, SeveralImages, testing::ValuesIn(support::golden_families()),
                         [](const auto& one) { return one.param.first; });

TEST(ImageBatch, IsAutoOrANumber) {
  EXPECT_EQ(image_batch_from_name("auto"), kImagesByMemory);
  EXPECT_EQ(image_batch_from_name("7"), 7);
  for (const char* wrong : {"", "0", "-1", "1025", "3x", "many"})
    EXPECT_THROW(image_batch_from_name(wrong), Error) << wrong;
  const ImageBatch batch(5);
  EXPECT_EQ(images_at_once(int64_t{1} << 60), 5);
  set_image_batch(kImagesByMemory);
  EXPECT_EQ(images_at_once(int64_t{1} << 60), 1) << "one always fits";
  EXPECT_EQ(images_at_once(1), 32);
}

}  // namespace
}  // namespace hijack::several_images_test
