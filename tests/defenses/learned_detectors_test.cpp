// Detectors that look inside of a model: each fires on what it has learned and passes the rest, and a file
// that does not belong to the model is refused.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "defenses/detectors/hidden_detect.h"
#include "defenses/detectors/linear_probe.h"
#include "defenses/detectors/mahalanobis.h"
#include "defenses/detectors/unrelated_question_list.h"
#include "defenses/detectors/unrelated_questions.h"
#include "defenses/make_defense.h"
#include "models/load_model.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_model.h"

namespace hijack::learned_detectors_test {
namespace {

using support::error_of;

const std::shared_ptr<const VisionLanguageModel>& tiny() {
  static const auto model = load_model(
      std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/llava/siglip", {.dtype = "float32"});
  return model;
}

/// Honest pictures are smooth and bright, those that the detectors learn to find are dark.
Submission picture(bool dark, uint64_t seed) {
  const Tensor coarse = Random(seed).uniform_tensor({1, 3, 4, 4}, dark ? 0.0 : 0.6, dark ? 0.3 : 1.0);
  return {.image = quantize(at::upsample_bilinear2d(coarse, {28, 28}, false)),
          .query = {.prompt = "question " + std::to_string(seed % 7)}};
}

std::vector<Submission> pictures(bool dark, uint64_t from, uint64_t count) {
  std::vector<Submission> all;
  for (uint64_t i = 0; i < count; ++i) all.push_back(picture(dark, from + i));
  return all;
}

DefenseResources tiny_resources() {
  DefenseResources given;
  given.model = tiny();
  given.respond = EchoResponder();
  given.benign = pictures(false, 100, 120);
  given.false_positive_rate = 0.01;
  given.model_sha256 = [] { return std::string(64, 'a'); };
  return given;
}

class Learned : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }
  /// A file of a detector that has learned from dark and bright pictures.
  std::string trained(const std::string& name) const {
    const std::vector<Submission> dark = pictures(true, 0, 40), bright = pictures(false, 50, 40);
    const Tensor labels = at::cat({at::ones({40}, at::kBool), at::zeros({40}, at::kBool)});
    TensorMap tensors;
    if (name == "unrelated_questions") {
      const QuestionFeatures questions(tiny(), 8);
      const std::vector<std::string> said(40, "a cat");
      tensors =
          fit_logistic(at::cat({questions.of(dark, said), questions.of(bright, said)}), labels).tensors();
    } else {
      const LastStates states({.model = tiny()}, {1}, name);
      const Tensor one = states.of(dark).select(1, 0), other = states.of(bright).select(1, 0);
      tensors = name == "linear_probe"
                    ? fit_logistic(at::cat({one, other}), labels).tensors()
                    : Mahalanobis::Contrast{Gaussian::of(other), Gaussian::of(one)}.tensors();
    }
    save_trained(
        at(name + ".safetensors"), name, tensors,
        {{"model", "tiny"}, {"model_sha256", std::string(64, 'a')}, {"layer", "1"}, {"tokens", "8"}});
    return at(name + ".safetensors");
  }
  static std::shared_ptr<const Defense> made(const std::string& spec) {
    return make_defense(parse_defense(spec), tiny_resources());
  }

  support::TemporaryFolder folder_;
};

int64_t rejected(const Defense& defense, const std::vector<Submission>& submissions) {
  int64_t count = 0;
  for (const Reply& reply : defense.answer(submissions, EchoResponder())) count += reply.rejected;
  return count;
}

TEST_F(Learned, FireOnWhatTheyKnowAndPassTheRest) {
  for (const char* name : {"unrelated_questions", "linear_probe", "mahalanobis"}) {
    const auto defense = made(std::string(name) + ":trained=" + trained(name));
    EXPECT_GE(rejected(*defense, pictures(true, 1000, 40)), 30) << name;
    EXPECT_LE(rejected(*defense, pictures(false, 2000, 40)), 4) << name;
    const Calibration calibration = defense->calibrations().at(0);
    EXPECT_TRUE(calibration.can_fire()) << name;
    EXPECT_EQ(calibration.n, 120) << name;
  }
}

TEST_F(Learned, ScoreOfAnImageLeadsAnAttackBelowTheThreshold) {
  for (const char* name : {"linear_probe", "mahalanobis"}) {
    const auto defense = made(std::string(name) + ":trained=" + trained(name));
    const double threshold = defense->calibrations().at(0).threshold;
    Tensor image = picture(true, 5).image;
    const double before = defense->image_score(image).item<double>();
    EXPECT_GT(before, threshold) << name;
    for (int step = 0; step < 60; ++step) {
      image = image.detach().requires_grad_(true);
      const Tensor gradient = torch::autograd::grad({defense->image_score(image)}, {image})[0];
      ASSERT_GT(gradient.abs().max().item<double>(), 0) << name;
      const at::NoGradGuard no_gradients;
      image = (image - 0.02 * gradient.sign()).clamp(0, 1);
    }
    EXPECT_LT(defense->image_score(image).item<double>(), 0.8 * threshold) << name;
    EXPECT_EQ(rejected(*defense, {{.image = quantize(image.detach()), .query = {.prompt = "question 1"}}}), 0)
        << name;
  }
}

TEST(ScoreForAttacks, IsSafeExactlyBelowTheMargin) {
  for (const double threshold : {0.02, 0.9, -0.3})
    for (const double value : {-2.0, 0.4, 0.6, 3.0}) {
      const double score =
          score_for_attacks(at::full({}, value, at::kDouble), 1, 0.5, threshold).item<double>();
      EXPECT_EQ(score <= 0.8 * threshold, value <= 0.5) << threshold << " " << value;
    }
}

TEST_F(Learned, FilesThatDoNotBelongAreRefused) {
  const std::string probe = trained("linear_probe");
  const auto said = [&](const std::string& spec) { return error_of([&] { made(spec); }); };
  EXPECT_EQ(said("linear_probe:trained=" + probe), "");
  EXPECT_NE(said("linear_probe").find("hijack train detector linear_probe"), std::string::npos);
  EXPECT_NE(said("mahalanobis:trained=" + probe).find("trained linear_probe"), std::string::npos);
  EXPECT_NE(said("linear_probe:trained=" + at("none")).find("none"), std::string::npos);
  EXPECT_NE(said("linear_probe:trained=" + probe + ",sha256=0000").find("sha256=0000"), std::string::npos);
  DefenseResources other = tiny_resources();
  other.model_sha256 = [] { return std::string("b"); };
  const DefenseSpec spec = parse_defense("linear_probe:trained=" + probe);
  EXPECT_NE(error_of([&] { make_defense(spec, other); }).find("another model"), std::string::npos);
  other = tiny_resources();
  other.model = std::make_shared<ToyModel>();
  EXPECT_NE(error_of([&] { make_defense(spec, other); }).find("does not show its layers"), std::string::npos);
  const auto rewritten = [&](TensorMap tensors, const std::string& layer) {
    save_trained(at("bad.safetensors"), "linear_probe", tensors,
                 {{"model", "tiny"}, {"model_sha256", std::string(64, 'a')}, {"layer", layer}});
    return said("linear_probe:trained=" + at("bad.safetensors"));
  };
  TensorMap tensors = load_safetensors(probe);
  EXPECT_NE(rewritten(tensors, "9").find("no layer 9"), std::string::npos);
  EXPECT_NE(rewritten(tensors, "x").find("layer"), std::string::npos);
  tensors["weights"] = at::ones({3}, at::kDouble);
  EXPECT_NE(rewritten(tensors, "1").find("fit together"), std::string::npos);
  tensors.erase("weights");
  EXPECT_NE(rewritten(tensors, "1").find("weights"), std::string::npos);
}

TEST_F(Learned, NamesSayWhatWasLearnedWhereverItLies) {
  const std::string name = made("linear_probe:trained=" + trained("linear_probe"))->name();
  EXPECT_EQ(name.find(folder_.path().string()), std::string::npos) << name;
  EXPECT_NE(name.find("sha256=" + sha256_file(at("linear_probe.safetensors")).substr(0, 16)),
            std::string::npos);
}

TEST(UnrelatedQuestionList, HasTheKindsAndNumbersOfThePaper) {
  std::map<std::string, int> kinds;
  std::set<std::string> texts;
  for (const UnrelatedQuestion& one : unrelated_questions()) ++kinds[one.kind], texts.insert(one.text);
  const std::map<std::string, int> wanted = {{"confession", 10}, {"psychological", 8}, {"confusion", 5},
                                             {"ethics", 3},      {"logic", 4},         {"knowable", 10},
                                             {"unknowable", 8}};
  EXPECT_EQ(kinds, wanted);
  EXPECT_EQ(texts.size(), 48U);
}

TEST(QuestionFeatures, AreLogRatiosAndDependOnReplyAndImage) {
  const QuestionFeatures questions(tiny(), 8);
  const Submission one = picture(false, 1);
  const Tensor first = questions.of({one, one, picture(true, 1)}, {"a cat", "a dog", "a cat"});
  ASSERT_EQ(first.sizes(), (std::vector<int64_t>{3, 48}));
  EXPECT_FALSE(at::equal(first[0], first[1]));
  EXPECT_FALSE(at::equal(first[0], first[2]));
  // one question asked alone, by hand
  Query query{.prompt = unrelated_questions()[5].text, .earlier = {{one.query.prompt, "a cat"}}};
  const Tokenizer& tokenizer = tiny()->tokenizer();
  const std::vector<TokenIds> targets = {tokenizer.encode("yes", false)};
  const Tensor logits = tiny()
                            ->target_logits(tiny()->preprocess(one.image), {&query, 1}, targets)
                            .at(0)[0]
                            .to(at::kDouble)
                            .softmax(-1);
  std::set<int64_t> yes, no;
  for (const char* space : {"", " "})
    for (const char* word : {"yes", "Yes", "YES"})
      yes.insert(tokenizer.encode(space + std::string(word), false)[0]);
  for (const char* space : {"", " "})
    for (const char* word : {"no", "No", "NO"})
      no.insert(tokenizer.encode(space + std::string(word), false)[0]);
  double p = 0, q = 0;
  for (const int64_t id : yes) p += no.contains(id) ? 0 : logits[id].item<double>();
  for (const int64_t id : no) q += yes.contains(id) ? 0 : logits[id].item<double>();
  EXPECT_NEAR(first[0][5].item<double>(), std::log(p) - std::log(q), 1e-5);
}

TEST(HiddenDetectScore, IsTheAreaUnderCosinesOfTheLens) {
  EXPECT_NEAR(trapezoid_area(at::tensor({1.0, 2.0, 4.0}, at::kDouble)).item<double>(), 4.5, 1e-12);
  EXPECT_NEAR(trapezoid_area(at::tensor({3.0}, at::kDouble)).item<double>(), 3, 1e-12);
  const RefusalStrength strength(tiny_resources(), {0, 1, 2}, "hidden_detect");
  const Tensor found = strength.of({picture(false, 1), picture(true, 2)});
  EXPECT_EQ(found.sizes(), (std::vector<int64_t>{2, 3}));
  EXPECT_LT(found.abs().max().item<double>(), 1);
  const std::string said =
      error_of([] { make_defense(parse_defense("hidden_detect:last=7"), tiny_resources()); });
  EXPECT_NE(said.find("no layer 7"), std::string::npos) << said;
}

TEST(HiddenDetectScore, RejectsTheUpperTail) {
  // a threshold in the middle of the benign scores: about half of them lie above it
  const auto defense = make_defense(parse_defense("hidden_detect:quantile=0.5"), tiny_resources());
  const std::vector<Submission> asked = pictures(false, 3000, 60);
  const int64_t found = rejected(*defense, asked);
  EXPECT_GT(found, 10);
  EXPECT_LT(found, 50);
}

TEST(FitLogistic, NeedsBothKinds) {
  EXPECT_NE(error_of([] {
              fit_logistic(at::ones({5, 2}), at::ones({5}, at::kBool));
            }).find("both kinds"),
            std::string::npos);
}

}  // namespace
}  // namespace hijack::learned_detectors_test
