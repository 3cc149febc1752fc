// One way into an experiment for attacked, benign and calibration images, and what thresholds are fitted on.
#include "src/experiment/run/submitted_image.h"

#include <gtest/gtest.h>

#include "defenses/kinds.h"
#include "models/model_decorator.h"
#include "src/experiment/evaluate/evaluate.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/run/defense_setup.h"
#include "tests/support/toy_runs.h"

namespace hijack::submitted_image_test {
namespace {

using support::error_of;
using Sizes = std::set<std::pair<int64_t, int64_t>>;  // height, width

const std::pair<int64_t, int64_t> kToySize = {16, 16};
const std::pair<int64_t, int64_t> kSceneSize = {112, 112};

Tensor shipped_photo(const std::string& name) {
  return load_image(shipped_data() / "images" / name);
}

Tensor resized(const Tensor& image, int64_t height, int64_t width) {
  return quantize(at::_upsample_bilinear2d_aa(image, {height, width}, false).clamp(0, 1));
}

TEST(AsSubmitted, ResizesInInputSpaceOnly) {
  const ToyModel model;
  const Tensor image = Random(1).uniform_tensor({1, 3, 40, 24}, 0, 1);
  EXPECT_TRUE(at::equal(as_submitted(model, "photo", image), image));
  EXPECT_TRUE(at::equal(as_submitted(model, "input", image), model.to_input_space(image)));
}

TEST(SamePicture, SurvivesWhatHappensToFiles) {
  const Tensor cat = shipped_photo("chelsea.png");
  EXPECT_TRUE(same_picture(cat, cat));
  EXPECT_TRUE(same_picture(cat, jpeg_round_trip(cat, 30)));
  EXPECT_TRUE(same_picture(resized(cat, 112, 112), cat));
  EXPECT_TRUE(same_picture(cat, cat.flip({3})));
  EXPECT_TRUE(same_picture(cat, cat * 0.6 + 0.1));
  const std::vector<std::string> names = {"chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg"};
  for (const std::string& one : names)
    for (const std::string& other : names)
      EXPECT_EQ(same_picture(shipped_photo(one), resized(shipped_photo(other), 112, 112)), one == other)
          << one << " " << other;
  EXPECT_FALSE(same_picture(at::full({1, 3, 8, 8}, .5), cat));
}

TEST(BenignPictures, AreAllDifferentAndInTheSpaceOfTheExperiment) {
  for (const std::string space : {"input", "photo"}) {
    BenignPictures pictures(std::make_shared<ToyModel>(), space);
    std::set<uint64_t> seen;
    for (size_t i = 0; i < 100; ++i) {
      const Tensor scene = pictures.scene(i);
      EXPECT_EQ(std::pair(scene.size(2), scene.size(3)), space == "input" ? kToySize : kSceneSize);
      EXPECT_TRUE(seen.insert(content_key(scene)).second) << "scene " << i;
      if (i >= 10) continue;
      for (const std::string& name : pictures.photos_beside({})) {
        const Tensor photo = pictures.photo(name, i);
        EXPECT_TRUE(seen.insert(content_key(photo)).second) << name << " " << i;
        EXPECT_TRUE(on_lattice(photo));
        EXPECT_EQ(space == "input", std::pair(photo.size(2), photo.size(3)) == kToySize);
      }
    }
    EXPECT_TRUE(at::equal(pictures.scene(70), BenignPictures(std::make_shared<ToyModel>(), space).scene(70)));
  }
}

TEST(BenignPictures, LeaveOutEveryAttackedPhoto) {
  BenignPictures pictures(std::make_shared<ToyModel>(), "input");
  const Tensor cat = shipped_photo("chelsea.png"), cup = shipped_photo("coffee.png");
  std::vector<std::string> names = pictures.photos_beside({});
  EXPECT_EQ(names.size(), 11u);
  std::erase(names, "chelsea.png");
  std::erase(names, "coffee.png");
  EXPECT_EQ(names.size(), 9u);
  EXPECT_EQ(pictures.photos_beside({jpeg_round_trip(cat, 50), ToyModel().to_input_space(cup)}), names);
  const std::vector<Context> prompts = toy_contexts(40);
  std::set<uint64_t> banned;
  for (size_t i = 0; i < 40; ++i) banned.insert(content_key(pictures.photo("chelsea.png", i)));
  for (const Submission& one : benign_submissions(pictures, prompts, {resized(cat, 90, 60)}))
    EXPECT_FALSE(banned.contains(content_key(one.image)));
}

TEST(BenignSubmissions, EachPromptHasAPictureOfItsOwn) {
  BenignPictures pictures(std::make_shared<ToyModel>(), "input");
  std::set<uint64_t> images;
  const auto submissions = benign_submissions(pictures, toy_contexts(120), {toy_image()});
  ASSERT_EQ(submissions.size(), 120u);
  for (const Submission& one : submissions) images.insert(content_key(one.image));
  EXPECT_EQ(images.size(), 120u);
}

TEST(Remembered, AsksForEachSubmissionOnce) {
  size_t asked = 0;
  const Responder responder = remembered([&](const std::vector<Submission>& some) {
    asked += some.size();
    std::vector<Reply> replies;
    for (const Submission& one : some) replies.push_back({"to " + one.query.prompt});
    return replies;
  });
  const Submission a{toy_image(1), {.prompt = "a"}}, b{toy_image(2), {.prompt = "b"}};
  EXPECT_EQ(responder({a, b, a}).at(2).text, "to a");
  EXPECT_EQ(asked, 2u);
  EXPECT_EQ(responder({b}).at(0).text, "to b");
  EXPECT_EQ(asked, 2u);
  EXPECT_EQ(responder({{toy_image(2), {.prompt = "a"}}}).at(0).text, "to a");
  EXPECT_EQ(asked, 3u);
}

/// Tells which image sizes it was shown, and what it was asked.
class Witness : public ModelDecorator {
 public:
  using ModelDecorator::ModelDecorator;
  Pixels preprocess(const Tensor& image) const override {
    sizes.emplace(image.size(2), image.size(3));
    last_image = content_key(image);
    return ModelDecorator::preprocess(image);
  }
  std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                  const GenerateOptions& options) const override {
    for (const Query& query : queries) ++asked[std::to_string(last_image) + query.prompt];
    return ModelDecorator::generate(pixels, queries, options);
  }
  mutable Sizes sizes;
  mutable uint64_t last_image = 0;
  mutable std::map<std::string, int> asked;
};

class Calibrated : public ToyRuns {
 protected:
  Calibrated() {
    evaluate_.utility = 12;
    evaluate_.suffix.steps = 0;
  }

  /// Sizes that the model saw while thresholds were fitted, and afterwards.
  void evaluate(const std::string& name, const std::vector<std::string>& defenses) {
    finished(name);
    evaluate_.defense.defenses = defenses;
    witness_ = std::make_shared<Witness>(model_);
    RunHooks hooks;
    hooks.on_note = [&](const std::string& text) {
      if (!text.ends_with(": defense none")) return;
      fitted_on_ = std::exchange(witness_->sizes, {});
      asked_ = std::exchange(witness_->asked, {});
    };
    ASSERT_TRUE(evaluate_run(root() / name, evaluate_, hooks, [&](const AttackConfig&) { return witness_; }));
  }
  nlohmann::json calibration(const std::string& name, size_t index = 0) const {
    return read_run(root() / name).manifest.at("calibrations").at(index);
  }

  EvaluateConfig evaluate_;
  std::shared_ptr<Witness> witness_;
  Sizes fitted_on_;
  std::map<std::string, int> asked_;
};

TEST_F(Calibrated, InInputSpaceAllImagesHaveTheModelsSize) {
  evaluate("run", {"cider"});
  EXPECT_EQ(fitted_on_, Sizes{kToySize});
  EXPECT_EQ(witness_->sizes, Sizes{kToySize}) << "benign questions and attacked images";
}

TEST_F(Calibrated, InPhotoSpaceAllImagesAreAsTheyWereTaken) {
  const std::pair<int64_t, int64_t> attacked = {24, 40};
  save_png(resized(toy_image(), attacked.first, attacked.second), root() / "photo.png");
  config_.space = "photo";
  evaluate("run", {"cider"});
  EXPECT_TRUE(fitted_on_.contains(kSceneSize));
  EXPECT_TRUE(fitted_on_.contains({300, 451})) << "the whole photograph of the cat";
  EXPECT_FALSE(fitted_on_.contains(kToySize));
  EXPECT_EQ(witness_->sizes, (Sizes{kSceneSize, attacked}));
}

TEST_F(Calibrated, TheSamePhotoInAnotherFileIsTheSamePhoto) {
  const Tensor cat = shipped_photo("chelsea.png");
  const auto fitted_on = [&](const std::string& name, const Tensor& photo) {
    save_png(photo, root() / "photo.png");
    evaluate(name, {"cider"});
    return calibration(name).at("fitted_on_sha256").get<std::string>();
  };
  const std::string plain = fitted_on("plain", cat);
  EXPECT_EQ(plain.size(), 64u);
  EXPECT_EQ(fitted_on("again", jpeg_round_trip(resized(cat, 200, 300), 60)), plain);
  EXPECT_NE(fitted_on("cup", shipped_photo("coffee.png")), plain);
}

TEST_F(Calibrated, TheBareModelAnswersBenignSubmissionsOnceForAllDetectors) {
  evaluate("run", {"judge", "ecso", "judge:by=loss,quantile=0.98"});
  EXPECT_EQ(asked_.size(), 100u);
  for (const auto& [question, times] : asked_) EXPECT_EQ(times, 1);
}

TEST_F(Calibrated, TheManifestSaysWhetherADetectorCanFire) {
  evaluate("run", {"cider", "cider:denoiser=total_variation,threshold=2", "judge"});
  const auto fitted = calibration("run", 0), dead = calibration("run", 1), unbounded = calibration("run", 2);
  EXPECT_EQ(fitted.at("n"), 100);
  EXPECT_EQ(fitted.at("alpha"), .01);
  EXPECT_EQ(fitted.at("quantile"), .99);
  EXPECT_DOUBLE_EQ(fitted.at("false_alarm_bound").get<double>(), 1 / 101.0);
  EXPECT_EQ(fitted.at("ceiling"), 2);
  EXPECT_EQ(fitted.at("can_fire"), true);
  EXPECT_EQ(fitted.at("fitted_on"), "split calibration");
  EXPECT_EQ(dead.at("can_fire"), false);
  EXPECT_EQ(dead.at("n"), 0);
  EXPECT_TRUE(dead.at("alpha").is_null());
  EXPECT_TRUE(dead.at("false_alarm_bound").is_null());
  EXPECT_EQ(dead.at("fitted_on"), "given by the user");
  EXPECT_TRUE(unbounded.at("ceiling").is_null());
  EXPECT_EQ(unbounded.at("can_fire"), true);
  int rejected = 0, asked = 0;
  for (const ReplyRow& row : read_run(root() / "run").replies) {
    if (row.defense != dead.at("defense")) continue;
    ++asked;
    rejected += row.rejected;
  }
  EXPECT_GT(asked, 10);
  EXPECT_EQ(rejected, 0);
}

TEST_F(Calibrated, TooFewPromptsForTheRateAreRefused) {
  std::string lines;
  std::istringstream file(read_file(root() / "contexts.jsonl"));
  int kept = 0;
  for (std::string line; std::getline(file, line);)
    if (line.find("calibration") == std::string::npos || ++kept <= 60) lines += line + "\n";
  write_file(root() / "contexts.jsonl", lines);
  finished("run");
  evaluate_.defense.defenses = {"judge"};
  const auto refused = [&] {
    return error_of([&] { evaluate_run(root() / "run", evaluate_, {}, models()); });
  };
  EXPECT_NE(refused().find("60 different benign submissions"), std::string::npos) << refused();
  EXPECT_NE(refused().find("at least 99"), std::string::npos) << refused();
  evaluate_.defense.false_positive_rate = .02;
  EXPECT_EQ(refused(), "");
  EXPECT_EQ(calibration("run").at("n"), 60);
}

}  // namespace
}  // namespace hijack::submitted_image_test
