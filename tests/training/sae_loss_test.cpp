// What a step of training a sparse autoencoder minimizes: against the papers' formulas in another language
// (tests/golden/sae/train.py), and the straight-through gradients against what they estimate.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "models/checkpoint/safetensors.h"
#include "src/base/random.h"
#include "src/training/sae_loss.h"
#include "tests/support/temporary_folder.h"

namespace hijack::sae_loss_test {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/sae";

SaeLossConfig golden_config(const std::string& name) {
  return {.architecture = name, .k = 3, .l1 = 0.7, .l0 = 0.4, .bandwidth = 0.8, .dead_after = 5};
}

SaeLeaves leaves_in(const TensorMap& tensors) {
  const auto leaf = [&](const char* name) { return tensors.at(name).clone().requires_grad_(true); };
  SaeLeaves leaves{leaf("encoder"), leaf("encoder_bias"), leaf("decoder"), leaf("decoder_bias")};
  if (tensors.contains("threshold")) leaves.threshold = leaf("threshold");
  return leaves;
}

class SaeStep : public testing::TestWithParam<std::string> {};

TEST_P(SaeStep, IsThatOfThePapers) {
  const TensorMap golden = load_safetensors(kGolden / ("step_" + GetParam() + ".safetensors"));
  const SaeLeaves leaves = leaves_in(golden);
  Tensor quiet = golden.at("quiet").clone();
  const SaeLoss found = sae_loss(golden_config(GetParam()), leaves, golden.at("x"), quiet);
  EXPECT_NEAR(found.loss.item<double>() / golden.at("loss").item<double>(), 1, 2e-6);
  EXPECT_NEAR(found.smallest_kept, golden.at("smallest_kept").item<double>(), 1e-5);
  EXPECT_TRUE(at::equal(quiet, golden.at("quiet_after")));
  const char* names[] = {"encoder", "encoder_bias", "decoder", "decoder_bias", "threshold"};
  const std::vector<Tensor> all = leaves.all();
  const auto gradients = torch::autograd::grad({found.loss}, all);
  for (size_t i = 0; i < all.size(); ++i) {
    const Tensor expected = golden.at(std::string("gradient.") + names[i]);
    EXPECT_GT(expected.abs().max().item<double>(), 0) << names[i];
    EXPECT_LT((gradients[i] - expected).abs().max().item<double>() / expected.abs().max().item<double>(),
              1e-4)
        << names[i];
  }
}

TEST_P(SaeStep, HasTheSlopeOfItsLoss) {
  const TensorMap golden = load_safetensors(kGolden / ("step_" + GetParam() + ".safetensors"));
  SaeLeaves leaves;
  for (auto [name, place] : {std::pair("encoder", &leaves.encoder),
                             {"encoder_bias", &leaves.encoder_bias},
                             {"decoder", &leaves.decoder},
                             {"decoder_bias", &leaves.decoder_bias}})
    *place = golden.at(name).to(at::kDouble);
  if (golden.contains("threshold")) leaves.threshold = golden.at("threshold").to(at::kDouble);
  // where no latent changes between active and not, which a step of 1e-6 hardly does; thresholds learn
  // through a kernel and have no slope
  for (Tensor* one : {&leaves.encoder, &leaves.encoder_bias, &leaves.decoder}) {
    *one = one->detach().requires_grad_(true);
    const auto loss = [&] {
      Tensor quiet =
          at::zeros_like(golden.at("quiet"), at::kDouble);  // the auxiliary loss has a constant in it
      return sae_loss(golden_config(GetParam()), leaves, golden.at("x").to(at::kDouble), quiet).loss;
    };
    const Tensor gradient = torch::autograd::grad({loss()}, {*one})[0];
    const Tensor direction = gradient / gradient.norm(), before = one->detach();
    constexpr double kStep = 1e-6;
    *one = before + direction * kStep;
    const double up = loss().item<double>();
    *one = before - direction * kStep;
    const double down = loss().item<double>();
    *one = before;
    EXPECT_NEAR((up - down) / (2 * kStep) / gradient.norm().item<double>(), 1, 1e-4);
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, SaeStep, testing::ValuesIn(sae_architecture_names()),
                         [](const auto& parameter) { return parameter.param; });

TEST(JumpReLU, ThresholdsLearnTheSlopeOfWhatIsExpected) {
  // one latent that reads x, standard normal: E loss = E[x^2; x <= t] + l0 P(x > t), so that its slope in t
  // is (t^2 - l0) phi(t)
  const Tensor one = at::ones({1, 1}, at::kDouble), none = at::zeros({1}, at::kDouble);
  const Tensor x = Random(3).normal_tensor({400'000, 1}).to(at::kDouble);
  for (const double t : {0.3, 0.8, 1.5}) {
    const Tensor threshold = at::full({1}, t, at::kDouble).requires_grad_(true);
    Tensor quiet = at::zeros({1}, at::kDouble);
    const SaeLoss found = sae_loss({.architecture = "jumprelu", .l0 = 0.4, .bandwidth = 0.1},
                                   {one, none, one, none, threshold}, x, quiet);
    const double slope = torch::autograd::grad({found.loss}, {threshold})[0].item<double>();
    const double density = std::exp(-t * t / 2) / std::sqrt(2 * M_PI);
    EXPECT_NEAR(slope, (t * t - 0.4) * density, 0.015) << t;
  }
}

TEST(SaeLossTest, UnknownArchitecturesAreNamed) {
  Tensor quiet = at::zeros({1});
  EXPECT_NE(
      support::error_of([&] { sae_loss({.architecture = "jumprellu"}, {}, {}, quiet); }).find("jumprelu"),
      std::string::npos);
}

}  // namespace
}  // namespace hijack::sae_loss_test
