// A sparse autoencoder in the place of a model's states.
#include "models/sae/patched.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/load_model.h"
#include "src/base/image.h"
#include "tests/support/temporary_folder.h"

namespace hijack::patched_test {
namespace {

const std::filesystem::path kRoot = HIJACK_SOURCE_DIR;

/// x = relu(x) - relu(-x): a dictionary that loses nothing.
SparseAutoencoder perfect(int64_t width) {
  const Tensor one = at::eye(width);
  SparseAutoencoder sae{.architecture = "standard"};
  sae.encoder = at::cat({one, -one}, 1), sae.encoder_bias = at::zeros({2 * width});
  sae.decoder = at::cat({one, -one}), sae.decoder_bias = at::zeros({width});
  sae.hook_name = "blocks.0.hook_resid_post";
  return sae;
}

class Patched : public testing::Test {
 protected:
  void SetUp() override {
    model_ = load_model(kRoot / "tests/golden/llava/clip_gqa", {.dtype = "float32"});
    pixels_ = model_->preprocess(load_image(kRoot / "samples/images/chelsea.png"));
    sae_ = perfect(state_hooks_of(*model_).width());
  }
  PatchedLoss loss(const SparseAutoencoder& sae, TokenChoice tokens = TokenChoice::kAll) const {
    return patched_loss(*model_, pixels_, queries_, replies_, sae, tokens);
  }

  std::shared_ptr<const VisionLanguageModel> model_;
  Pixels pixels_;
  SparseAutoencoder sae_;
  std::vector<Query> queries_ = {{.prompt = "What is it?"}, {.prompt = "Name a color."}};
  std::vector<TokenIds> replies_ = {{5, 6, 7}, {8, 9}};
};

TEST_F(Patched, WhatLosesNothingRecoversAll) {
  const PatchedLoss found = loss(sae_);
  EXPECT_EQ(found.tokens, 5);
  EXPECT_NEAR(found.recovered(), 1, 1e-3);
  EXPECT_NEAR(found.kl_patched, 0, 1e-4);
  EXPECT_GT(found.kl_zero, 1e-3);
  double expected = 0;
  const auto logits = model_->target_logits(pixels_, queries_, replies_);
  for (size_t i = 0; i < logits.size(); ++i)
    expected += at::cross_entropy_loss(logits[i], at::tensor(replies_[i], at::kLong)).item<double>() *
                static_cast<double>(replies_[i].size());
  EXPECT_NEAR(found.clean, expected, 1e-3);
  const nlohmann::json json = to_json(found);
  EXPECT_NEAR(json.at("ce_clean").get<double>(), expected / 5, 1e-3);
}

TEST_F(Patched, WhatSaysNothingRecoversNothing) {
  sae_.decoder = at::zeros_like(sae_.decoder);
  const PatchedLoss found = loss(sae_);
  EXPECT_NEAR(found.recovered(), 0, 1e-6);
  EXPECT_NEAR(found.kl_recovered(), 0, 1e-6);
  EXPECT_NE(loss(sae_, TokenChoice::kImage).patched, found.patched);
}

TEST_F(Patched, ClampedLatentsHaveTheirValue) {
  const Tensor x = at::randn({3, sae_.width()}), which = at::tensor({2, 40}, at::kLong);
  const StateChange change = clamped(sae_, which, at::tensor({1.5, 0.25}, at::kFloat), TokenChoice::kImage);
  EXPECT_EQ(change.tokens, TokenChoice::kImage);
  const Tensor now = change.apply(x);
  // latent 2 is what is positive of number 2, latent 40 what is negative of number 40 - width
  const int64_t other = 40 - sae_.width();
  EXPECT_TRUE(at::allclose(now.select(1, 2), x.select(1, 2).clamp_max(0) + 1.5, 1e-5, 1e-5));
  EXPECT_TRUE(at::allclose(now.select(1, other), x.select(1, other).clamp_min(0) - 0.25, 1e-5, 1e-5));
  EXPECT_TRUE(at::equal(now.select(1, 5), x.select(1, 5)));
  const Tensor same = sae_.encode(x).index_select(1, which);
  EXPECT_TRUE(at::allclose(clamped(sae_, which, same[0], TokenChoice::kAll).apply(x[0]), x[0], 1e-5, 1e-5));
}

TEST_F(Patched, PushedStatesMoveAsMuchElsewhere) {
  const Tensor x = at::randn({3, sae_.width()}), which = at::tensor({2, 40}, at::kLong);
  const Tensor values = at::tensor({1.5, 0.25}, at::kFloat), direction = at::eye(sae_.width())[7];
  const Tensor held = clamped(sae_, which, values, TokenChoice::kAll).apply(x) - x;
  const Tensor moved = pushed(sae_, which, values, direction, TokenChoice::kAll).apply(x) - x;
  EXPECT_TRUE(at::allclose(moved.norm(2, 1), held.norm(2, 1), 1e-4, 1e-4));
  EXPECT_TRUE(at::allclose(moved.select(1, 7), held.norm(2, 1), 1e-4, 1e-4));
}

TEST_F(Patched, AnAutoencoderOfAnotherModelIsNamed) {
  EXPECT_EQ(checked_hook(sae_, *model_, "abc"), (Hook{HookPoint::kResidual, 1}));
  const auto said = [&](auto change) {
    SparseAutoencoder sae = sae_;
    change(sae);
    return support::error_of([&] { checked_hook(sae, *model_, "abc"); });
  };
  EXPECT_NE(said([](auto& sae) { sae = perfect(7); }).find("width 7"), std::string::npos);
  EXPECT_NE(said([](auto& sae) { sae.hook_name = "blocks.90.hook_mlp_out"; }).find("layer 91"),
            std::string::npos);
  EXPECT_NE(said([](auto& sae) { sae.hook_name = "blocks.0.attn.hook_q"; }).find("hook_q"),
            std::string::npos);
  EXPECT_NE(said([](auto& sae) { sae.model_sha256 = "def"; }).find("another model"), std::string::npos);
  EXPECT_EQ(said([](auto& sae) { sae.model_sha256 = "abc"; }), "");
}

}  // namespace
}  // namespace hijack::patched_test
