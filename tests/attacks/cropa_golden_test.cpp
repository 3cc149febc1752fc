// Adversarial prompts and features of layers on the shipped model: over the shared prefix as one by one.
#include <gtest/gtest.h>

#include "attacks/loop/evaluate.h"
#include "attacks/objectives/feature_matching.h"
#include "attacks/objectives/make_objective.h"
#include "attacks/objectives/token_losses.h"
#include "attacks/wrappers/cropa.h"
#include "models/embedding_access.h"
#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/finite_difference.h"
#include "tests/support/temporary_folder.h"

namespace hijack::cropa_golden_test {
namespace {

const std::filesystem::path kRoot = HIJACK_SOURCE_DIR;

struct PromptsOfPocket : ::testing::Test {
  std::shared_ptr<const VisionLanguageModel> model = load_model(kRoot / "samples/pocket");
  Tensor image = model->to_input_space(load_image(kRoot / "samples/images/chelsea.png"));
  Pixels pixels = model->preprocess(image);
  /// They begin with the same words.
  std::vector<Query> queries = {{.prompt = "What color is the ring?"},
                                {.prompt = "What color is the circle in the image?"},
                                {.prompt = "How many circles are there?"}};
  std::vector<TokenIds> targets = std::vector<TokenIds>(3, model->target_ids("Please visit canary.example"));

  Tensor shift_for(size_t i, double size) const {
    const Tensor words = prompt_embeddings_of(*model).prompt_embeddings(pixels, queries[i]);
    EXPECT_EQ(words.dim(), 2);
    Random random(40 + i);
    return size * words.square().mean().sqrt() * random.normal_tensor(words.sizes());
  }
};

TEST_F(PromptsOfPocket, ShiftedTogetherAsOneByOne) {
  const std::vector<Tensor> shifts = {shift_for(0, .5), shift_for(1, .5), {}};
  const auto together = prompt_embeddings_of(*model).shifted_target_logits(pixels, queries, targets, shifts);
  const auto plain = model->target_logits(pixels, queries, targets);
  for (size_t i = 0; i < queries.size(); ++i) {
    const auto alone = prompt_embeddings_of(*model).shifted_target_logits(pixels, {&queries[i], 1},
                                                                          {&targets[i], 1}, {&shifts[i], 1});
    EXPECT_LT((together[i] - alone[0]).abs().max().item<double>(), 2e-4) << i;
    const double moved = (together[i] - plain[i]).abs().max().item<double>();
    if (shifts[i].defined())
      EXPECT_GT(moved, 1e-2) << i;
    else
      EXPECT_LT(moved, 2e-4) << i;
  }
}

TEST_F(PromptsOfPocket, GradientsToShiftsMatchDifferences) {
  const Tensor other = shift_for(1, .2);
  const auto loss = [&](const Tensor& shift) {
    const std::vector<Tensor> shifts = {shift, other, {}};
    return mean_cross_entropy(
        prompt_embeddings_of(*model).shifted_target_logits(pixels, queries, targets, shifts), targets);
  };
  EXPECT_LT(worst_gradient_error(loss, shift_for(0, .2), {.coordinates = 6, .step = 1e-2}), 3e-2);
}

TEST_F(PromptsOfPocket, AnAscentRaisesTheLossOfEveryContext) {
  const auto shifted = std::make_shared<ShiftedModel>(model, queries);
  Cropa objective(
      make_objective({}, {.models = {shifted},
                          .behavior = make_behavior({.name = "string", .target = "Please visit canary"}),
                          .contexts = queries,
                          .origin = image}),
      {shifted}, {.radius = 1, .step = .02});
  const auto step = [&](int64_t number) {
    const double loss = evaluate(objective, image, number, true).loss.item<double>();
    objective.after_step(image, number);
    return loss;
  };
  const double before = step(0), once = step(1);
  EXPECT_GT(once, before);
  EXPECT_GT(step(2), once);
  EXPECT_NEAR(objective.comparable_loss(image).item<double>(), before, 1e-5);
}

TEST_F(PromptsOfPocket, FeaturesOfLayers) {
  const Tensor read = model->image_features(pixels);
  EXPECT_TRUE(at::equal(model->states()->image_states(pixels, 0), read));
  const Tensor first = model->states()->image_states(pixels, 1),
               second = model->states()->image_states(pixels, 2);
  EXPECT_EQ(first.sizes(), read.sizes());
  EXPECT_FALSE(at::allclose(first, second));
  const Tensor text = model->states()->text_states("a red ring", 1);
  EXPECT_EQ(text.size(1), static_cast<int64_t>(model->tokenizer().encode("a red ring", false).size()));
  EXPECT_EQ(text.size(2), read.size(2));
  FeatureMatching objective(model, {.text = "a red ring", .layer = 2}, FeatureDistance::kCosine);
  const auto loss = [&](const Tensor& x) { return objective.loss(x, 0); };
  EXPECT_LT(worst_gradient_error(loss, .1 + .8 * image, {.coordinates = 2, .step = 1e-2}), 5e-2);
  EXPECT_NE(support::error_of([&] { model->states()->image_states(pixels, 99); }).find("99"),
            std::string::npos);
  EXPECT_NE(support::error_of([&] { model->states()->text_states("", 0); }).find("no tokens"),
            std::string::npos);
}

}  // namespace
}  // namespace hijack::cropa_golden_test
