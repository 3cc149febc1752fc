// What every defense of the table has to do, whatever it is. A new defense adds one row.
#include <gtest/gtest.h>

#include "defenses/decoding/steering.h"
#include "defenses/detectors/logistic.h"
#include "defenses/detectors/mahalanobis.h"
#include "defenses/detectors/trained_file.h"
#include "defenses/kinds.h"
#include "defenses/make_defense.h"
#include "defenses/pipeline.h"
#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/toy_model.h"

namespace hijack::all_defenses_test {
namespace {

struct Row {
  std::string spec;             ///< as the user writes it, first parameter and others
  std::string other_seed = {};  ///< the same with another seed; "" for deterministic ones
};

const Row kPlainRows[] = {
    {"perplexity:window=10,threshold=4.25,preset=published", ""},
    {"paraphrase:temperature=0.5,max_tokens=20,pattern=Say\\, again: {prompt},seed=4",
     "paraphrase:temperature=0.5,max_tokens=20,pattern=Say\\, again: {prompt},seed=5"},
    {"retokenize:dropout=0.5,seed=4", "retokenize:dropout=0.5,seed=5"},
    {"safety_prompt:place=after,text=Be good\\, please.", ""},
    {"coca:alpha=2,place=system,text=Be good\\, please.", ""},
    {"jpeg:quality=40", ""},
    {"bit_depth:bits=3", ""},
    {"median:size=3", ""},
    {"blur:sigma=0.8", ""},
    {"noise:sigma=12.5,seed=4", "noise:sigma=12.5,seed=5"},
    {"resize_pad:smallest=0.6,seed=4", "resize_pad:smallest=0.6,seed=5"},
    {"resize:scale=0.7,filter=area", ""},
    {"crop:keep=0.7,seed=4", "crop:keep=0.7,seed=5"},
    {"total_variation:weight=0.1,iterations=20", ""},
    {"smoothvlm:share=0.25,copies=3,fill=noise,seed=4", "mask_vote:share=0.25,copies=3,fill=noise,seed=5"},
    {"smoothing:sigma=12.5,copies=6,selection=2,alpha=0.1,seed=4",
     "smoothing:sigma=12.5,copies=6,selection=2,alpha=0.1,seed=5"},
    {"jailguard:copies=3,mutations=all,threshold=9.5,seed=4",
     "jailguard:copies=3,mutations=all,threshold=9.5,seed=5"},
    {"cider:denoiser=median,rounds=2,pool=tokens,against=image,threshold=1.5", ""},
    {"ocr:contrast=normalized,confidence=60,threshold=4", ""},
    {"scaling_check:filter=bicubic,size=16x12,measure=ssim,threshold=0.5", ""},
    {"judge:by=loss,reference=blur,tokens=8,threshold=40.5", ""},
    {"ecso:by=loss,reference=blur,tokens=8,threshold=40.5,describe=What is it?", ""},
    {"hidden_detect:first=1,last=2,threshold=0.9", ""},
};

/// With detectors that have learned, whose files lie in the working directory.
const std::vector<Row>& rows() {
  static const support::TemporaryFolder folder;
  static const std::vector<Row> all = [] {
    std::filesystem::current_path(folder.path());
    std::vector<Row> made(std::begin(kPlainRows), std::end(kPlainRows));
    const auto add = [&](const std::string& name, const TensorMap& tensors, const std::string& before = "",
                         const std::string& behind = ",threshold=0.9999") {
      const std::string file = name + ".safetensors";
      save_trained(file, name, tensors,
                   {{"model", "tiny"}, {"model_sha256", ""}, {"layer", "1"}, {"tokens", "8"}});
      made.push_back(
          {name + ":" + before + "trained=" + file + ",sha256=" + sha256_file(file).substr(0, 16) + behind});
    };
    const auto logistic_tensors = [](int64_t features) {
      return LogisticModel{at::zeros({features}, at::kDouble), at::ones({features}, at::kDouble),
                           at::full({features}, 0.001, at::kDouble), 0}
          .tensors();
    };
    const Gaussian sphere{at::zeros({24}), at::eye(24)};
    add("unrelated_questions", logistic_tensors(48));
    add("linear_probe", logistic_tensors(24));
    add("mahalanobis", Mahalanobis::Contrast{sphere, sphere}.tensors());
    add("steering", SteeringVectors{at::ones({2, 24}), at::zeros({2, 24})}.tensors(), "alpha=2,layer=2,", "");
    return made;
  }();
  return all;
}

/// A defense with as few parameters as it can do with.
std::string plain_spec(const std::string& spec) {
  const std::string name = parse_defense(spec).name;
  return std::filesystem::exists(name + ".safetensors") ? name + ":trained=" + name + ".safetensors" : name;
}

/// Whether it looks into a model, which the toy does not let it.
bool looks_inside(const std::string& spec) {
  for (const char* name : {"unrelated_questions", "hidden_detect", "linear_probe", "mahalanobis", "steering"})
    if (spec.starts_with(name)) return true;
  return false;
}

const std::shared_ptr<const VisionLanguageModel>& small_model() {
  static const auto model = load_model(std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/llava/siglip",
                                       {.dtype = "float32"});
  return model;
}

/// A smooth image without saturated colors: on white noise every codec is far from every other.
Submission submission(uint64_t seed, const std::string& prompt) {
  const Tensor coarse = Random(seed).uniform_tensor({1, 3, 6, 8}, 0.2, 0.8);
  return {.image = quantize(at::upsample_bilinear2d(coarse, {24, 32}, false)), .query = {.prompt = prompt}};
}

DefenseResources resources() {
  const auto model = std::make_shared<FakeLanguageModel>();
  DefenseResources all{.scorer = model, .paraphraser = model};
  all.model = std::make_shared<ToyModel>();
  all.respond = EchoResponder();
  for (uint64_t i = 0; i < 20; ++i) all.benign.push_back(submission(100 + i, "is it red"));
  return all;
}

std::shared_ptr<const Defense> made(const std::string& spec) {
  DefenseResources given = resources();
  if (looks_inside(spec)) given.model = small_model();
  return make_defense(parse_defense(spec), given);
}

std::vector<Submission> batch() {
  return {submission(1, "what color is the cat"), submission(2, "how many dogs are there"),
          submission(1, "what color is the cat"), submission(2, "what color is the cat")};
}

std::vector<std::string> texts(const std::vector<Reply>& replies) {
  std::vector<std::string> all;
  for (const Reply& reply : replies) all.push_back(reply.text);
  return all;
}

TEST(AllDefenses, EveryNameHasARow) {
  std::set<std::string> tested;
  for (const Row& row : rows()) tested.insert(parse_defense(row.spec).name);
  const std::vector<std::string> names = defense_names();
  EXPECT_EQ(tested, std::set<std::string>(names.begin(), names.end()));
}

TEST(AllDefenses, NameReadsBackToTheSameDefense) {
  for (const Row& row : rows()) {
    EXPECT_EQ(made(row.spec)->name(), row.spec);
    const std::string name = made(plain_spec(row.spec))->name();
    EXPECT_EQ(made(name)->name(), name);
  }
}

TEST(AllDefenses, AnswersEverySubmissionAndLeavesOneTrace) {
  for (const Row& row : rows()) {
    const EchoResponder model;
    const std::vector<Reply> replies = made(row.spec)->answer(batch(), model);
    ASSERT_EQ(replies.size(), 4u) << row.spec;
    for (const Reply& reply : replies) {
      ASSERT_GE(reply.trace.size(), 1u) << row.spec;
      EXPECT_EQ(reply.trace[0].stage, row.spec);
    }
    for (const Submission& seen : *model.seen) {
      EXPECT_EQ(seen.image.dim(), 4) << row.spec;
      EXPECT_TRUE(on_lattice(seen.image)) << row.spec;
    }
  }
}

TEST(AllDefenses, AnEmptyBatchNeverReachesTheModel) {
  const Responder never = [](const std::vector<Submission>&) -> std::vector<Reply> {
    ADD_FAILURE() << "called";
    return {};
  };
  for (const Row& row : rows()) EXPECT_TRUE(made(row.spec)->answer({}, never).empty()) << row.spec;
}

TEST(AllDefenses, DoNotDependOnTheBatchOrItsOrder) {
  for (const Row& row : rows()) {
    const std::vector<std::string> together = texts(made(row.spec)->answer(batch(), EchoResponder()));
    std::vector<Submission> reversed = batch();
    std::reverse(reversed.begin(), reversed.end());
    std::vector<std::string> backwards = texts(made(row.spec)->answer(reversed, EchoResponder()));
    std::reverse(backwards.begin(), backwards.end());
    EXPECT_EQ(together, backwards) << row.spec;
    EXPECT_EQ(together[0], together[2]) << "the same submission twice: " << row.spec;
    EXPECT_EQ(texts(made(row.spec)->answer({batch()[1]}, EchoResponder()))[0], together[1]) << row.spec;
  }
}

/// What a reply and its trace say: detectors' draws show only there.
std::vector<std::string> traces(const std::vector<Reply>& replies) {
  std::vector<std::string> all;
  for (const Reply& reply : replies)
    all.push_back(reply.text + "\n" + std::to_string(reply.trace.at(0).score) + reply.trace[0].note);
  return all;
}

TEST(AllDefenses, SeedsChooseTheDraw) {
  for (const Row& row : rows()) {
    EXPECT_EQ(made(row.spec)->randomized(), !row.other_seed.empty()) << row.spec;
    if (row.other_seed.empty()) continue;
    const std::vector<std::string> first = traces(made(row.spec)->answer(batch(), EchoResponder()));
    EXPECT_EQ(first, traces(made(row.spec)->answer(batch(), EchoResponder()))) << row.spec;
    EXPECT_NE(first, traces(made(row.other_seed)->answer(batch(), EchoResponder()))) << row.spec;
  }
}

TEST(AllDefenses, DetectorsReportScoreAndThresholdOfWhatTheyPassToo) {
  int detectors = 0;
  for (const Row& row : rows()) {
    const auto defense = made(row.spec);
    if (defense->calibrations().empty()) continue;
    ++detectors;
    for (const Reply& reply : defense->answer(batch(), EchoResponder())) {
      EXPECT_EQ(reply.trace.at(0).threshold, defense->calibrations()[0].threshold) << row.spec;
      EXPECT_TRUE(std::isfinite(reply.trace[0].score)) << row.spec;
      EXPECT_FALSE(reply.trace[0].rejected) << row.spec;
    }
  }
  EXPECT_EQ(detectors, 11);
}

TEST(AllDefenses, DetectorsAreFittedOnBenignSubmissions) {
  for (const Row& row : rows()) {
    const std::string plain = plain_spec(row.spec);
    if (made(row.spec)->calibrations().empty()) continue;
    EXPECT_EQ(made(plain)->calibrations().at(0).n, 20) << plain;
    EXPECT_EQ(made(plain)->calibrations()[0].name, made(plain)->name());
    DefenseResources few = resources();
    few.benign.resize(19);
    if (looks_inside(plain)) few.model = small_model();
    EXPECT_THROW(make_defense(parse_defense(plain), few), Error) << plain;
  }
}

TEST(AllDefenses, SubmissionsWithoutImagePass) {
  for (const Row& row : rows()) {
    const std::vector<Reply> replies =
        made(row.spec)->answer({{.image = {}, .query = {.prompt = "what is it"}}}, EchoResponder());
    EXPECT_FALSE(replies.at(0).rejected) << row.spec;
  }
}

TEST(AllDefenses, SurrogatesKeepTheShapeAndHaveGradients) {
  for (const Row& row : rows()) {
    const Tensor image = (batch()[0].image * 0.8 + 0.1).requires_grad_(true);
    Random random(5);
    const Tensor value = made(row.spec)->surrogate(image, random);
    ASSERT_EQ(value.sizes(), image.sizes()) << row.spec;
    const Tensor gradient = torch::autograd::grad({value.square().sum()}, {image})[0];
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>()) << row.spec;
    EXPECT_GT(gradient.abs().sum().item<double>(), 0) << row.spec;
  }
}

TEST(AllDefenses, SurrogatesHaveTheValueOfTheDeployedTransform) {
  for (const Row& row : rows()) {
    const auto defense = made(row.spec);
    const auto* transform = dynamic_cast<const ImageTransform*>(defense.get());
    if (!transform) continue;
    const Tensor image = batch()[0].image;
    Random first(5), second(5);
    const Tensor difference = transform->apply(image, first) - transform->surrogate(image, second);
    EXPECT_LT(difference.abs().mean().item<double>() * 255, 2) << row.spec;
  }
}

}  // namespace
}  // namespace hijack::all_defenses_test
