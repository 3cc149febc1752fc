// Attacks on image encoders against references written from the papers, step for step
// (tests/golden/encoder_matching/make.py). An attack is never put back onto the reference's path.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "attacks/loop/evaluate.h"
#include "attacks/objectives/encoder_matching.h"
#include "attacks/optimizers/pgd.h"
#include "attacks/wrappers/augmentation.h"
#include "attacks/wrappers/universal.h"
#include "src/base/error.h"
#include "tests/support/golden_attack.h"

namespace hijack::encoder_matching_golden_test {
namespace {

constexpr int64_t kPatch = 3;
constexpr uint64_t kSeed = 9;
constexpr double kEpsilon = 16.0 / 255, kStep = 1.5 / 255;

/// The encoder of make.py.
class GoldenEncoder : public ImageEncoder {
 public:
  GoldenEncoder(const TensorMap& golden, const std::string& number)
      : a_(golden.at("a." + number)), b_(golden.at("b." + number)), text_(golden.at("text." + number)) {}
  std::string family() const override { return "golden"; }
  ImageSpec image_spec() const override { return {12, 12}; }
  at::Device device() const override { return at::kCPU; }
  bool reads_text() const override { return true; }
  Tensor text_embedding(const std::string&) const override { return text_; }
  EncodedImages encode(const Tensor& x) const override {
    const int64_t n = x.size(2) / kPatch;
    const Tensor cut = x.reshape({x.size(0), 3, n, kPatch, n, kPatch})
                           .permute({0, 2, 4, 1, 3, 5})
                           .reshape({x.size(0), n * n, -1});
    const Tensor patches = at::tanh((cut - .5).matmul(a_));
    const Tensor weights = at::cos(at::arange(n * n, at::kDouble)).view({1, -1, 1});
    return {at::tanh((patches * (1 + weights)).mean(1)).matmul(b_), patches};
  }

 private:
  Tensor a_, b_, text_;
};

/// An encoder that counts how often it is run.
class CountedEncoder : public GoldenEncoder {
 public:
  using GoldenEncoder::GoldenEncoder;
  EncodedImages encode(const Tensor& x) const override {
    ++calls;
    return GoldenEncoder::encode(x);
  }
  mutable int64_t calls = 0;
};

class EncoderMatchingGolden : public testing::Test {
 protected:
  std::unique_ptr<EncoderMatching> objective(const EncoderMatching::Terms& terms, const EncoderTarget& target,
                                             const SurrogateConfig& config = {},
                                             std::vector<Tensor> photos = {}) const {
    if (photos.empty()) photos = {golden_.at("origin")};
    return std::make_unique<EncoderMatching>(encoders_, terms, target, std::move(photos), config, kSeed);
  }

  /// Steps as long as the reference's, and its losses on the way.
  void expect_path(Objective& objective, const std::string& name, Tensor image, const Tensor& origin) const {
    const Tensor points = golden_.at(name + ".points"), losses = golden_.at(name + ".losses");
    const Constraint ball = LinfBall{kEpsilon};
    Pgd pgd({.steps = points.size(0), .step_size = kStep, .momentum = 0, .final_step = 1}, ball);
    for (int64_t k = 0; k < points.size(0); ++k) {
      const Evaluation now = evaluate(objective, image, k, true);
      ASSERT_NEAR(now.loss.item<double>(), losses[k].item<double>(), 1e-9) << name << " step " << k;
      image = pgd.next(now, ball, origin, k);
      objective.after_step(now.image, k);
      ASSERT_LT(difference(image, points[k]), 1e-12) << name << " step " << k;
    }
  }
  void expect_path(Objective& objective, const std::string& name) const {
    expect_path(objective, name, golden_.at("origin"), golden_.at("origin"));
  }

  const TensorMap golden_ = load_golden("encoder_matching");
  const std::vector<std::shared_ptr<const ImageEncoder>> encoders_ = {
      std::make_shared<GoldenEncoder>(golden_, "0"), std::make_shared<GoldenEncoder>(golden_, "1")};
  const EncoderTarget picture_{.image = golden_.at("target")};
};

TEST_F(EncoderMatchingGolden, MAttack) {
  const auto one = objective({{EncoderTerm::kEmbedding, 1}}, picture_,
                             {.source_crop = "0.5-0.9", .target_crop = "0.5-0.9"});
  expect_path(*one, "m_attack");
  EXPECT_FALSE(one->deterministic());
}

TEST_F(EncoderMatchingGolden, MAttackV2) {
  EncoderTarget target = picture_;
  target.auxiliary = {golden_.at("auxiliary0"), golden_.at("auxiliary1")};
  expect_path(*objective({{EncoderTerm::kEmbedding, 1}}, target,
                         {.source_crop = "0.5", .crops = 3, .target_crop = "0.95", .target_rotation = 10}),
              "m_attack_v2");
}

TEST_F(EncoderMatchingGolden, FoaAttackAndItsMemory) {
  const SurrogateConfig config{
      .source_crop = "0.5-0.9", .target_crop = "0.5-0.9", .clusters = 4, .weights = "ratio"};
  const EncoderMatching::Terms terms = {{EncoderTerm::kEmbedding, 1}, {EncoderTerm::kTransport, .2}};
  const auto one = objective(terms, picture_, config);
  expect_path(*one, "foa");
  // resumed in the middle: the state carries the last losses
  const auto first = objective(terms, picture_, config), resumed = objective(terms, picture_, config);
  const Tensor origin = golden_.at("origin"), then = golden_.at("foa.points")[0];
  evaluate(*first, origin, 0, true);
  first->after_step(origin, 0);
  resumed->restore(first->state());
  EXPECT_TRUE(at::equal(first->loss(then, 1), resumed->loss(then, 1)));
  resumed->restore({});
  EXPECT_FALSE(at::equal(first->loss(then, 1), resumed->loss(then, 1)));
}

TEST_F(EncoderMatchingGolden, AttackVlmFromPictureAndText) {
  const auto pictures = objective({{EncoderTerm::kEmbedding, 1}}, picture_);
  expect_path(*pictures, "image_image");
  EXPECT_TRUE(pictures->deterministic());
  EXPECT_TRUE(
      at::equal(pictures->comparable_loss(golden_.at("origin")), pictures->loss(golden_.at("origin"), 3)));
  expect_path(*objective({{EncoderTerm::kEmbedding, 1}}, {.text = "a cat"}), "image_text");
}

TEST_F(EncoderMatchingGolden, SpectrumSimulation) {
  AugmentationConfig config;
  config.names = {"spectrum"};
  config.draws = 2;
  Augmented one(objective({{EncoderTerm::kEmbedding, 1}}, picture_), config, kSeed);
  expect_path(one, "spectrum");
}

TEST_F(EncoderMatchingGolden, XTransferLeadsEveryPhotoAwayFromItself) {
  const std::vector<Tensor> photos = {golden_.at("origin"), golden_.at("photo")};
  const Constraint ball = LinfBall{kEpsilon};
  const Tensor gray = carrier_for(ball, photos[0]);
  UniversalObjective one(objective({{EncoderTerm::kAway, 1}}, {}, {}, photos), ball, gray, photos, 0, kSeed);
  expect_path(one, "away", golden_.at("away.start"), gray);
}

/// X-Transfer over 5 encoders of which a bandit takes 2, for 2 steps each.
class ChosenSurrogates : public EncoderMatchingGolden {
 protected:
  ChosenSurrogates() {
    for (int i = 0; i < 5; ++i) {
      counted_.push_back(std::make_shared<CountedEncoder>(golden_, std::to_string(i)));
      all_.push_back(counted_.back());
    }
    config_.choice = {.per_step = 2, .rule = "ucb", .every = 2, .exploration = .01, .memory = .5};
  }
  std::unique_ptr<UniversalObjective> made(uint64_t seed = kSeed) const {
    return std::make_unique<UniversalObjective>(
        std::make_unique<EncoderMatching>(all_, EncoderMatching::Terms{{EncoderTerm::kAway, 1}},
                                          EncoderTarget{}, photos_, config_, seed),
        ball_, gray_, photos_, 0, seed);
  }
  std::vector<int64_t> calls() const {
    std::vector<int64_t> all;
    for (const auto& one : counted_) all.push_back(one->calls);
    return all;
  }

  std::vector<std::shared_ptr<CountedEncoder>> counted_;
  std::vector<std::shared_ptr<const ImageEncoder>> all_;
  SurrogateConfig config_;
  const std::vector<Tensor> photos_ = {golden_.at("origin"), golden_.at("photo")};
  const Constraint ball_ = LinfBall{kEpsilon};
  const Tensor gray_ = carrier_for(ball_, photos_[0]), start_ = golden_.at("away.start");
};

TEST_F(ChosenSurrogates, TheBanditOfXTransferStepForStep) {
  const auto one = made();
  EXPECT_FALSE(one->deterministic());
  const std::vector<int64_t> before = calls();
  expect_path(*one, "bandit", start_, gray_);
  const std::vector<int64_t> taken = steps_of_surrogates(one->state());
  const Tensor expected = golden_.at("bandit.taken");
  for (size_t i = 0; i < taken.size(); ++i) {
    EXPECT_EQ(taken[i], expected[static_cast<int64_t>(i)].item<int64_t>()) << i;
    EXPECT_EQ(calls()[i] - before[i], 2 * taken[i]) << "each of 2 photos, in the steps it was chosen for";
  }
  EXPECT_LT(difference(one->state().at("surrogate_means"), golden_.at("bandit.mean")), 1e-9);
}

TEST_F(ChosenSurrogates, ResumedAnywhereAndComparedByAll) {
  const auto whole = made(), half = made();
  Tensor image = start_;
  for (int64_t step = 0; step < 7; ++step) {
    half->restore(ObjectiveState(whole->state()));  // as new at first, then from every step
    EXPECT_TRUE(at::equal(whole->loss(image, step), half->loss(image, step))) << step;
    whole->after_step(image, step);
    half->after_step(image, step);
    for (const auto& [name, tensor] : whole->state()) EXPECT_TRUE(at::equal(tensor, half->state().at(name)));
    const ObjectiveState state = whole->state();
    const std::vector<int64_t> before = calls();
    whole->comparable_loss(image);
    for (size_t i = 0; i < before.size(); ++i) EXPECT_EQ(calls()[i] - before[i], 2) << "compared by all";
    for (const auto& [name, tensor] : state)
      EXPECT_TRUE(at::equal(tensor, whole->state().at(name))) << name << ": nothing is learned from that";
    image = image + .001;
  }
  whole->restore({});
  EXPECT_EQ(steps_of_surrogates(whole->state()), std::vector<int64_t>(5, 0));
  const std::shared_ptr<const ImageEncoder> last = all_.back();
  all_.pop_back();
  EXPECT_THROW(made()->restore(half->state()), Error) << "of other surrogates";
  all_ = {last};
  EXPECT_TRUE(made()->state().empty()) << "fewer than a step takes: all of them, and nothing to learn";
}

TEST_F(ChosenSurrogates, AtRandomEverySeedTakesItsOwn) {
  config_.choice = {.per_step = 2, .rule = "random", .every = 1};
  const auto chosen = [&](uint64_t seed) {
    const auto one = made(seed);
    for (int64_t step = 0; step < 40; ++step) {
      one->loss(start_, step);
      one->after_step(start_, step);
    }
    return steps_of_surrogates(one->state());
  };
  const std::vector<int64_t> first = chosen(1);
  EXPECT_EQ(first, chosen(1));
  EXPECT_NE(first, chosen(2));
  EXPECT_EQ(std::accumulate(first.begin(), first.end(), int64_t{0}), 80);
  EXPECT_GT(*std::min_element(first.begin(), first.end()), 5);
}

}  // namespace
}  // namespace hijack::encoder_matching_golden_test
