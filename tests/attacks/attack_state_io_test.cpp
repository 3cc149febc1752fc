#include "attacks/loop/attack_state_io.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/checkpoint/safetensors.h"
#include "src/base/error.h"
#include "tests/support/toy_model.h"

namespace hijack::attack_state_io_test {
namespace {

class AttackStateIo : public testing::Test {
 protected:
  std::filesystem::path file_ = std::filesystem::path(testing::TempDir()) / "hijack_state_io.safetensors";
  void TearDown() override { std::filesystem::remove(file_); }
};

TEST_F(AttackStateIo, FreshStateComesBack) {
  const AttackState state = start_attack(Box{}, toy_image(), false, 1);
  save_attack_state(state, file_);
  const AttackState loaded = load_attack_state(file_);
  EXPECT_TRUE(at::equal(loaded.image, state.image));
  EXPECT_FALSE(loaded.best_image.defined());
  EXPECT_EQ(loaded.step, 0);
  EXPECT_EQ(loaded.best_step, -1);
  EXPECT_EQ(loaded.best_score, -1);
  EXPECT_TRUE(loaded.losses.empty());
  EXPECT_TRUE(loaded.optimizer.empty());
}

TEST_F(AttackStateIo, TheTimeOfTheStepsComesBack) {
  AttackState state = start_attack(Box{}, toy_image(), false, 1);
  state.seconds = 12.5;
  save_attack_state(state, file_);
  EXPECT_EQ(load_attack_state(file_).seconds, 12.5);
  state.seconds = std::numeric_limits<double>::quiet_NaN();
  save_attack_state(state, file_);
  EXPECT_TRUE(std::isnan(load_attack_state(file_).seconds)) << "an older checkpoint that goes on";
}

TEST_F(AttackStateIo, LoadedTensorsOutliveTheFile) {
  AttackState state = start_attack(Box{}, toy_image(), false, 1);
  state.optimizer["accumulated"] = at::ones({1, 3, 16, 16});
  save_attack_state(state, file_);
  const AttackState loaded = load_attack_state(file_);
  save_attack_state(start_attack(Box{}, toy_image(9), false, 1), file_);
  std::filesystem::resize_file(file_, 0);
  EXPECT_TRUE(at::equal(loaded.image, state.image));
  EXPECT_TRUE(at::equal(loaded.optimizer.at("accumulated"), state.optimizer.at("accumulated")));
}

TEST_F(AttackStateIo, ForeignFilesAreRefused) {
  EXPECT_THROW(load_attack_state(file_), Error);
  const TensorMap good{{"image", toy_image()},
                       {"steps", at::tensor({int64_t{2}, int64_t{-1}}, at::kLong)},
                       {"best_score", at::tensor({-1.0}, at::kDouble)},
                       {"losses", at::tensor({2.0, 1.0}, at::kDouble)}};
  save_safetensors(good, file_);
  EXPECT_EQ(load_attack_state(file_).losses.size(), 2u);
  const std::vector<std::pair<std::string, Tensor>> spoiled{
      {"image", at::zeros({3, 16, 16})},
      {"image", toy_image() + 1},
      {"image", toy_image() * NAN},
      {"image", toy_image().to(at::kDouble)},
      {"steps", at::tensor({int64_t{3}, int64_t{-1}}, at::kLong)},
      {"steps", at::tensor({int64_t{-2}, int64_t{-1}}, at::kLong)},
      {"steps", at::tensor({int64_t{2}, int64_t{7}}, at::kLong)},
      {"steps", at::tensor({int64_t{2}}, at::kLong)},
      {"best_score", at::tensor({1.0, 2.0}, at::kDouble)},
      {"losses", at::tensor({1.0}, at::kDouble)},
      {"seconds", at::tensor({-1.0}, at::kDouble)},
      {"seconds", at::tensor({1.0, 2.0}, at::kDouble)},
      {"best_image", at::zeros({1})}};
  for (const auto& [name, tensor] : spoiled) {
    TensorMap bad = good;
    bad[name] = tensor;
    save_safetensors(bad, file_);
    EXPECT_THROW(load_attack_state(file_), Error) << name << tensor.sizes();
  }
}

}  // namespace
}  // namespace hijack::attack_state_io_test
