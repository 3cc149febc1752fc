// Adversarial fine-tuning of towers: the inner attack against its formula, what training does to the loss,
// and that resuming and the written folder are exact.
#include <gtest/gtest.h>

#include "attacks/constraint.h"
#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/file.h"
#include "src/training/robust_tower.h"
#include "tests/support/temporary_folder.h"

namespace hijack::robust_tower_test {
namespace {

const std::string kGolden = std::string(HIJACK_SOURCE_DIR) + "/tests/golden/";

class RobustTower : public testing::Test {
 protected:
  RobustTowerConfig config(const std::string& method, const std::string& name = "out") const {
    RobustTowerConfig config;
    config.model = kGolden + "llava/clip_gqa";
    config.method = method;
    config.out = (folder_.path() / name).string();
    config.vision_steps = 3;
    config.batch = 2;
    config.inner_steps = 3;
    return config;
  }
  static bool train(const RobustTowerConfig& config) {
    RobustTowerTraining training(config);
    return Trainer(config, training).run([](const TrainProgress&) {}, {});
  }
  static std::string weights(const RobustTowerConfig& config) {
    return read_file(std::filesystem::path(config.out) / "model.safetensors");
  }

  support::TemporaryFolder folder_;
};

Tensor images(int64_t side, uint64_t seed) {
  return Random(seed).uniform_tensor({2, 3, side, side}, 0, 1);
}

TEST_F(RobustTower, TheInnerAttackIsPgdOnTheFeaturesDistance) {
  const RobustTowerConfig given = config("fare");
  const RobustTowerTraining training(given);
  const TowerToTrain source = TowerToTrain::read(given.model);
  Weights stored(source.tensors, "tower");
  const VisionTower tower = source.build([&](const std::string& name, at::IntArrayRef shape) {
    return stored.take(name, shape).to(at::kFloat);
  });
  const Tensor clean = images(source.config.image_size, 3), wanted = training.original(clean);
  const auto distance = [&](const Tensor& x) {
    return (source.features(tower, x) - wanted).square().sum(-1).mean(-1);
  };
  Random random(5), same(5);
  const Tensor attacked = training.attacked(tower, clean, wanted, 2, random);
  // by hand: x + step sign(m), m = .9 m + g / |g|_1, back into the ball and the pixels' range
  const double epsilon = 4.0 / 255, step = 1.0 / 255;
  Tensor x = random_point(LinfBall{epsilon}, clean, same), m = at::zeros_like(clean);
  for (int i = 0; i < 2; ++i) {
    const Tensor leaf = x.detach().requires_grad_(true);
    const Tensor g = torch::autograd::grad({distance(leaf).sum()}, {leaf})[0];
    m = 0.9 * m + g / g.abs().sum({1, 2, 3}, true);
    x = (x + step * m.sign()).clamp(0, 1);
    x = clean + (x - clean).clamp(-epsilon, epsilon);
  }
  EXPECT_LT((attacked - x).abs().max().item<double>(), 1e-6);
  EXPECT_LE((attacked - clean).abs().max().item<double>(), epsilon + 1e-6);
  EXPECT_GT(distance(attacked).sum().item<double>(), distance(clean).sum().item<double>());
  EXPECT_LT((training.harm(attacked, wanted) - distance(attacked)).abs().max().item<double>(), 1e-4)
      << "an untrained tower is the original";
}

TEST_F(RobustTower, EveryMethodTrainsAndWritesATowerThatLoads) {
  for (const std::string& method : robust_methods()) {
    const RobustTowerConfig given = config(method, method);
    ASSERT_TRUE(train(given)) << method;
    EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(given.out) / "training_log.jsonl"));
    const auto model = load_model(given.model, {.dtype = "float32", .vision_tower = given.out});
    const auto before = load_model(given.model, {.dtype = "float32"});
    const Tensor image = images(before->image_spec().height, 4).narrow(0, 0, 1);
    const Tensor change =
        model->image_features(model->preprocess(image)) - before->image_features(before->preprocess(image));
    EXPECT_GT(change.abs().max().item<double>(), 0) << method;
    // what is written can be made robust again, but has no text side
    RobustTowerConfig again = config("fare", method + "-again");
    again.model = given.out;
    EXPECT_TRUE(train(again));
    again.method = "tecoa";
    EXPECT_THROW(RobustTowerTraining{again}, Error);
  }
}

TEST_F(RobustTower, UntrainedItIsWrittenAsItWas) {
  RobustTowerTraining training(config("fare"));
  training.finish();
  const RobustTowerConfig given = config("fare");
  const auto before = load_model(given.model, {.dtype = "float32"}),
             after = load_model(given.model, {.dtype = "float32", .vision_tower = given.out});
  const Tensor image = images(40, 4).narrow(0, 0, 1);
  EXPECT_TRUE(at::equal(before->preprocess(image).values, after->preprocess(image).values));
  EXPECT_TRUE(at::equal(before->image_features(before->preprocess(image)),
                        after->image_features(after->preprocess(image))));
  const auto [original, robust] = training.measure();
  EXPECT_EQ(original.clean, 0);
  EXPECT_EQ(robust.clean, 0);
  EXPECT_EQ(original.attacked, robust.attacked);
  EXPECT_GT(original.attacked, 0);
}

TEST_F(RobustTower, TrainingMovesFeaturesLessUnderAttack) {
  RobustTowerConfig given = config("fare");
  given.vision_steps = 150;
  given.vision_rate = 3e-3;
  RobustTowerTraining training(given);
  ASSERT_TRUE(Trainer(given, training).run([](const TrainProgress&) {}, {}));
  const auto [original, robust] = training.measure();
  EXPECT_LT(robust.attacked, original.attacked);
}

/// Stops itself after a step.
class Stopped : public RobustTowerTraining {
 public:
  using RobustTowerTraining::RobustTowerTraining;
  StepLosses gradients(Stage stage, int64_t step) override {
    const StepLosses losses = RobustTowerTraining::gradients(stage, step);
    if (step == 1) source.request_stop();
    return losses;
  }
  std::stop_source source;
};

TEST_F(RobustTower, ResumedTrainingGivesTheSameBytes) {
  const RobustTowerConfig whole = config("simclip", "whole");
  ASSERT_TRUE(train(whole));
  RobustTowerConfig part = config("simclip", "part");
  Stopped stopped(part);
  EXPECT_FALSE(Trainer(part, stopped).run([](const TrainProgress&) {}, stopped.source.get_token()));
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(part.out) / "model.safetensors"));
  EXPECT_THROW(RobustTowerTraining{part}, Error) << "a new one would lose it";
  part.resume = true;
  RobustTowerConfig other = part;
  other.method = "fare";
  EXPECT_THROW(RobustTowerTraining{other}, Error) << "begun with another method";
  ASSERT_TRUE(train(part));
  EXPECT_EQ(weights(whole), weights(part));
}

TEST_F(RobustTower, PhotosOfAFolder) {
  RobustTowerConfig given = config("fare");
  given.images = std::string(HIJACK_SOURCE_DIR) + "/samples/images";
  EXPECT_TRUE(train(given));
  given.method = "tecoa";
  given.out += "-2";
  EXPECT_THROW(RobustTowerTraining{given}, Error) << "photos have no labels";
}

TEST_F(RobustTower, WhatItCannotTrainLeavesNoFolder) {
  const auto refused = [&](const std::function<void(RobustTowerConfig&)>& change) {
    RobustTowerConfig given = config("fare");
    change(given);
    EXPECT_THROW(RobustTowerTraining{given}, Error);
    EXPECT_FALSE(std::filesystem::exists(given.out)) << given.out;
  };
  refused([](auto& c) { c.method = "fair"; });
  refused([](auto& c) { c.epsilon = "4"; });
  refused([](auto& c) { c.inner_step = "x"; });
  refused([](auto& c) { c.inner_steps = 0; });
  refused([](auto& c) { c.vision_steps = 0; });
  refused([](auto& c) { c.clean_weight = 2; });
  refused([](auto& c) { c.model = kGolden + "qwen2_vl/small"; });
  refused([](auto& c) { c.model = kGolden + "nowhere"; });
  refused([](auto& c) { c.images = kGolden + "llava"; });
}

}  // namespace
}  // namespace hijack::robust_tower_test
