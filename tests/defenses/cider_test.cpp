#include "defenses/detectors/cider.h"

#include <gtest/gtest.h>

#include "defenses/image/denoise.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/finite_difference.h"
#include "tests/support/toy_model.h"

namespace hijack::cider_test {
namespace {

DefenseResources resources(bool float64 = false) {
  DefenseResources all;
  all.model = std::make_shared<ToyModel>(ToyOptions{.float64 = float64});
  return all;
}

Tensor with_noise(const Tensor& image, uint64_t seed) {
  return quantize((image + 0.15 * Random(seed).normal_tensor(image.sizes())).clamp(0, 1));
}

Submission of(const Tensor& image, const std::string& prompt = "what is it") {
  return {.image = image, .query = {.prompt = prompt}};
}

TEST(Cider, NoiseMovesTheFeaturesMoreThanNothing) {
  for (const std::string& denoiser : denoiser_names())
    for (const char* pool : {"mean", "tokens"}) {
      const Cider defense({.denoiser = denoiser, .pool = pool, .against = "image", .limit = {.threshold = 1}},
                          resources());
      const double flat = defense.image_score(at::full({1, 3, 16, 16}, 0.4)).item<double>();
      const double smooth = defense.image_score(toy_image()).item<double>();
      const double noisy = defense.image_score(with_noise(toy_image(), 5)).item<double>();
      EXPECT_NEAR(flat, 0, 1e-5) << denoiser << pool;
      EXPECT_GT(noisy, 2 * smooth) << denoiser << pool;
    }
}

TEST(Cider, RejectsAboveTheThresholdAndReportsScores) {
  const Cider any({.against = "image", .limit = {.threshold = 1}}, resources());
  const double smooth = any.image_score(toy_image()).item<double>();
  const double noisy = any.image_score(with_noise(toy_image(), 5)).item<double>();
  const Cider defense({.against = "image", .limit = {.threshold = (smooth + noisy) / 2}}, resources());
  const EchoResponder model;
  const auto replies = defense.answer({of(toy_image()), of(with_noise(toy_image(), 5))}, model);
  EXPECT_FALSE(replies[0].rejected);
  EXPECT_TRUE(replies[1].rejected);
  EXPECT_EQ(model.seen->size(), 1u) << "the model must not see what was rejected";
  EXPECT_NEAR(replies[0].trace.at(0).score, smooth, 1e-9);
  EXPECT_NEAR(replies[1].trace.at(0).score, noisy, 1e-9);
  EXPECT_EQ(replies[0].trace[0].threshold, defense.threshold());
}

TEST(Cider, MoreRoundsNeverLowerTheScore) {
  const Tensor image = with_noise(toy_image(), 5);
  double last = 0;
  for (int64_t rounds = 1; rounds <= 4; ++rounds) {
    const Cider defense({.rounds = rounds, .against = "image", .limit = {.threshold = 1}}, resources());
    const double score = defense.image_score(image).item<double>();
    EXPECT_GE(score, last);
    last = score;
  }
}

TEST(Cider, IsFittedOnTheImagesOfBenignSubmissions) {
  DefenseResources all = resources();
  for (uint64_t i = 0; i < 20; ++i) all.benign.push_back(of(toy_image(i + 50)));
  const Cider defense({.against = "image"}, all);
  std::vector<double> scores;
  for (const Submission& benign : all.benign)
    scores.push_back(defense.image_score(benign.image).item<double>());
  std::sort(scores.begin(), scores.end());
  EXPECT_DOUBLE_EQ(defense.threshold(), scores.back());
  all.false_positive_rate = 0.1;
  EXPECT_DOUBLE_EQ(Cider({.against = "image"}, all).threshold(), scores[18]);
  for (size_t i = 0; i < 5; ++i) all.benign[i].image = Tensor();
  EXPECT_THROW(Cider({}, all), Error) << "submissions without image do not count";
}

TEST(Cider, CountsDifferentImagesNotSubmissions) {
  DefenseResources all = resources();
  for (uint64_t i = 0; i < 30; ++i)
    all.benign.push_back(of(toy_image(i % 15 + 50), "question " + std::to_string(i)));
  try {
    Cider({.against = "image"}, all);
    ADD_FAILURE() << "15 images made a threshold";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("15 different benign images"), std::string::npos)
        << error.what();
  }
  for (uint64_t i = 0; i < 5; ++i) all.benign.push_back(of(toy_image(i + 80)));
  EXPECT_EQ(Cider({.against = "image"}, all).calibrations().at(0).n, 20);
}

TEST(Cider, KnowsTheLargestScoreOfACosine) {
  EXPECT_TRUE(Cider({.limit = {.threshold = 1.9}}, resources()).calibrations().at(0).can_fire());
  EXPECT_FALSE(Cider({.limit = {.threshold = 2}}, resources()).calibrations().at(0).can_fire());
}

TEST(Cider, ScoreIsDifferentiable) {
  for (const std::string& denoiser : denoiser_names()) {
    const Cider defense({.denoiser = denoiser, .against = "image", .limit = {.threshold = 1}},
                        resources(true));
    // Not on the lattice: where two pixels are equal, a median has no gradient.
    const Tensor point =
        (toy_image().to(at::kDouble) + 0.05 * Random(8).normal_tensor({1, 3, 16, 16})).to(at::kDouble);
    const auto score = [&](const Tensor& image) { return defense.image_score(image); };
    EXPECT_LT(worst_gradient_error(score, point, {.step = 1e-6}), 1e-4) << denoiser;
  }
}

TEST(Cider, AgainstTheTextTheScoreDependsOnThePrompt) {
  DefenseResources all = resources();
  for (uint64_t i = 0; i < 20; ++i)
    all.benign.push_back(of(toy_image(i + 50), i % 2 == 0 ? "is it red" : ""));
  const Cider defense({.rounds = 2, .limit = {.threshold = 9}}, all);
  const Tensor image = with_noise(toy_image(), 5);
  const auto replies = defense.answer(
      {of(image, "what color is the cat"), of(image, "how many dogs are there"), of(image, "")},
      EchoResponder());
  EXPECT_NE(replies[0].trace.at(0).score, replies[1].trace.at(0).score);
  EXPECT_EQ(replies[2].trace.at(0).score, 0);
  EXPECT_EQ(replies[2].trace[0].note, "no text to compare with");
  // What an attacker sees is the mean over the benign prompts: here of one.
  const double expected = defense.answer({of(image, "is it red")}, EchoResponder()).at(0).trace.at(0).score;
  EXPECT_NEAR(defense.image_score(image).item<double>(), expected, 1e-7);
}

TEST(Cider, TheScoreAgainstTheTextIsDifferentiable) {
  DefenseResources all = resources(true);
  all.benign = {of(toy_image(50), "is it red"), of(toy_image(51), "how many dogs are there")};
  const Cider defense({.denoiser = "blur", .limit = {.threshold = 1}}, all);
  const Tensor point =
      toy_image().to(at::kDouble) + 0.05 * Random(8).normal_tensor({1, 3, 16, 16}).to(at::kDouble);
  const auto score = [&](const Tensor& image) { return defense.image_score(image); };
  EXPECT_LT(worst_gradient_error(score, point, {.step = 1e-6}), 1e-4);
}

TEST(Cider, NeedsAModel) {
  EXPECT_THROW(Cider({.limit = {.threshold = 1}}, {}), Error);
}

}  // namespace
}  // namespace hijack::cider_test
