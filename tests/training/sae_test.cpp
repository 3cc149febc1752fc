// Sparse autoencoders: trained on states made of known directions, resumed to the same bytes, read and
// written as SAELens has them.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/checkpoint/safetensors.h"
#include "src/base/file.h"
#include "src/base/random.h"
#include "src/training/sae_training.h"
#include "tests/support/temporary_folder.h"

namespace hijack::sae_test {
namespace {

using support::error_of;

class SaeTest : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_.path() / name).string(); }

  /// States that are sums of two of 24 directions in 12 dimensions, on a common mean.
  void write_states(const std::string& name, int64_t tokens = 1500) const {
    Random random(2);
    const Tensor drawn = random.normal_tensor({24, 12});
    const Tensor directions = drawn / drawn.norm(2, 1, true);
    Tensor states = at::full({tokens, 12}, 0.3);
    for (int64_t i = 0; i < tokens; ++i)
      for (int part = 0; part < 2; ++part) states[i].add_(directions[random.below(24)], random.uniform(1, 3));
    ActivationSource source{
        .model = "made", .model_sha256 = "abc", .hook = {HookPoint::kResidual, 3}, .width = 12};
    source.labels = {"clean"}, source.images = {"x"};
    for (int i = 0; i < 50; ++i) source.contexts.push_back("prompt " + std::to_string(i));
    ActivationWriter writer(at(name), source, int64_t{1} << 20);
    const Tensor none = at::zeros({tokens}, at::kLong), order = at::arange(tokens, at::kLong);
    writer.add({states, none, none, order.remainder(50), order, none});
    writer.finish();
  }
  SaeTrainConfig config(const std::string& out) const {
    SaeTrainConfig made;
    made.activations = {at("a.safetensors")}, made.out = at(out);
    made.k = 2, made.expansion = 4, made.steps = 600, made.batch = 128, made.rate = 4e-3,
    made.dead_after = 50;
    return made;
  }
  static SaeMeasures trained(const SaeTrainConfig& config) {
    SaeTraining training(config);
    EXPECT_TRUE(training.run([](const SaeProgress&) {}, {}));
    return training.measure();
  }

  support::TemporaryFolder folder_;
};

TEST_F(SaeTest, TopKExplainsSparseStates) {
  write_states("a.safetensors");
  const SaeMeasures measures = trained(config("topk"));
  EXPECT_EQ(measures.tokens, 150);
  EXPECT_LE(measures.l0, 2);
  EXPECT_GT(measures.explained_variance, 0.8);
  const SparseAutoencoder sae = SparseAutoencoder::read(at("topk"));
  EXPECT_EQ(sae.hook_name, "blocks.2.hook_resid_post");
  EXPECT_EQ(sae.model_sha256, "abc");
  const Tensor states = load_safetensors(at("a.safetensors")).at("states");
  EXPECT_GT(explained_variance(states, sae.decode(sae.encode(states))),
            0.8);  // scale is folded into the weights
}

TEST_F(SaeTest, StandardTradesErrorForSparsity) {
  write_states("a.safetensors");
  SaeTrainConfig dense = config("dense"), sparse = config("sparse");
  dense.architecture = sparse.architecture = "standard";
  dense.l1 = 0.05, sparse.l1 = 1;
  const SaeMeasures one = trained(dense), other = trained(sparse);
  EXPECT_GT(one.explained_variance, 0.8);
  EXPECT_GT(one.explained_variance, other.explained_variance);
  EXPECT_GT(one.l0, other.l0);
}

TEST_F(SaeTest, JumpReLUTradesErrorForActiveLatents) {
  write_states("a.safetensors");
  SaeTrainConfig dense = config("dense"), sparse = config("sparse");
  dense.architecture = sparse.architecture = "jumprelu";
  dense.l0 = 0.1, sparse.l0 = 2;
  const SaeMeasures one = trained(dense), other = trained(sparse);
  EXPECT_GT(one.explained_variance, 0.8);
  EXPECT_GT(one.explained_variance, other.explained_variance);
  EXPECT_GT(one.l0, other.l0);
  const Tensor thresholds = SparseAutoencoder::read(at("dense")).threshold;
  EXPECT_GT(thresholds.min().item<double>(), 0);
  EXPECT_GT((thresholds - 0.1).abs().max().item<double>(), 0.01);
}

TEST_F(SaeTest, BatchTopKIsSavedWithOneThreshold) {
  write_states("a.safetensors");
  SaeTrainConfig batch = config("batch");
  batch.architecture = "batchtopk";
  const SaeMeasures measures = trained(batch);
  EXPECT_GT(measures.explained_variance, 0.8);
  EXPECT_NEAR(measures.l0, 2, 0.6);
  const SparseAutoencoder sae = SparseAutoencoder::read(at("batch"));
  EXPECT_EQ(sae.architecture, "jumprelu");
  EXPECT_TRUE(at::equal(sae.threshold, sae.threshold[0].expand({48})));
  EXPECT_GT(sae.threshold[0].item<double>(), 0);
}

class ResumedTraining : public SaeTest, public testing::WithParamInterface<std::string> {};

TEST_P(ResumedTraining, GivesTheSameBytes) {
  write_states("a.safetensors");
  SaeTrainConfig whole = config("whole"), parts = config("parts");
  whole.architecture = parts.architecture = GetParam();
  whole.steps = parts.steps = 40;
  trained(whole);
  {
    SaeTraining training(parts);
    std::stop_source stop;
    EXPECT_FALSE(
        training.run([&](const SaeProgress& now) { now.step == 17 ? (void)stop.request_stop() : void(); },
                     stop.get_token()));
  }
  EXPECT_FALSE(std::filesystem::exists(at("parts/cfg.json")));
  EXPECT_NE(error_of([&] { SaeTraining again(parts); }).find("--resume"), std::string::npos);
  parts.resume = true;
  SaeTrainConfig changed = parts;
  changed.rate = 0.1;
  EXPECT_NE(error_of([&] { trained(changed); }).find("other settings"), std::string::npos);
  trained(parts);
  EXPECT_EQ(read_file(at("whole/sae_weights.safetensors")), read_file(at("parts/sae_weights.safetensors")));
  EXPECT_FALSE(std::filesystem::exists(at("parts/checkpoint.safetensors")));
}

INSTANTIATE_TEST_SUITE_P(Architectures, ResumedTraining, testing::ValuesIn(sae_architecture_names()),
                         [](const auto& parameter) { return parameter.param; });

TEST_F(SaeTest, BadInputIsNamed) {
  write_states("few.safetensors", 40);
  SaeTrainConfig few = config("x");
  few.activations = {at("few.safetensors")};
  EXPECT_NE(error_of([&] { SaeTraining training(few); }).find("40 tokens"), std::string::npos);
  write_states("a.safetensors");
  const auto said = [&](auto change) {
    SaeTrainConfig changed = config("x");
    change(changed);
    return error_of([&] { SaeTraining training(changed); });
  };
  EXPECT_NE(said([](auto& c) { c.architecture = "relu"; }).find("standard"), std::string::npos);
  EXPECT_NE(said([](auto& c) { c.k = 1000; }).find("48 latents"), std::string::npos);
  EXPECT_NE(said([](auto& c) { c.steps = 0; }).find("--steps"), std::string::npos);
  EXPECT_NE(said([](auto& c) { c.rate = NAN; }).find("--rate"), std::string::npos);
  EXPECT_NE(said([](auto& c) { c.activations.clear(); }).find("hijack activations"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(at("x")));
}

class SaeFolder : public SaeTest {
 protected:
  SparseAutoencoder random_sae() const {
    Random random(4);
    SparseAutoencoder sae{.architecture = "topk"};
    sae.encoder = random.normal_tensor({6, 10}), sae.encoder_bias = random.normal_tensor({10});
    sae.decoder = random.normal_tensor({10, 6}), sae.decoder_bias = random.normal_tensor({6});
    sae.k = 3, sae.hook_name = "blocks.1.hook_mlp_out", sae.model_name = "tiny";
    return sae;
  }
  void change(const std::function<void(nlohmann::json&)>& edit) const {
    auto config = nlohmann::json::parse(read_file(at("s/cfg.json")));
    edit(config);
    write_file(at("s/cfg.json"), config.dump());
  }
};

TEST_F(SaeFolder, IsReadAsItWasWritten) {
  random_sae().write(at("s"));
  const SparseAutoencoder read = SparseAutoencoder::read(at("s"));
  const Tensor x = Random(1).normal_tensor({5, 6});
  EXPECT_TRUE(at::equal(read.encode(x), random_sae().encode(x)));
  EXPECT_LE((read.encode(x) > 0).sum(1).max().item<int64_t>(), 3);
  EXPECT_EQ(hook_of_lens_name(read.hook_name), (Hook{HookPoint::kMlp, 2}));
  // as SAELens 3 to 5 wrote it
  change([](auto& config) {
    config = {{"architecture", "standard"},         {"activation_fn_str", "topk"},
              {"activation_fn_kwargs", {{"k", 3}}}, {"hook_name", "blocks.1.hook_mlp_out"},
              {"apply_b_dec_to_input", true},       {"normalize_activations", "none"}};
  });
  EXPECT_TRUE(at::equal(SparseAutoencoder::read(at("s")).encode(x), random_sae().encode(x)));
}

TEST_F(SaeFolder, WhatIsNotReadIsNamed) {
  const auto said = [&](const std::function<void(nlohmann::json&)>& edit) {
    random_sae().write(at("s"));
    change(edit);
    return error_of([&] { SparseAutoencoder::read(at("s")); });
  };
  EXPECT_NE(said([](auto& c) { c["architecture"] = "topkk"; }).find("topk"), std::string::npos);
  EXPECT_NE(said([](auto& c) { c["architecture"] = "gated"; }).find("gated"), std::string::npos);
  EXPECT_NE(said([](auto& c) { c["normalize_activations"] = "layer_norm"; }).find("layer_norm"),
            std::string::npos);
  EXPECT_NE(said([](auto& c) { c["k"] = 11; }).find("fit together"), std::string::npos);
  EXPECT_NE(said([](auto& c) { c.erase("k"); }).find("'k'"), std::string::npos);
  EXPECT_NE(error_of([&] { SparseAutoencoder::read(at("none")); }).find("cfg.json"), std::string::npos);
  EXPECT_NE(error_of([] { hook_of_lens_name("blocks.1.attn.hook_z"); }).find("hook_z"), std::string::npos);
}

/// Folders that SAELens' own code wrote (tests/golden/sae/make.py).
TEST(SaeOfSaeLens, ComputesWhatSaeLensComputes) {
  const std::filesystem::path golden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/sae";
  for (const char* name : {"standard", "topk", "topk_rescaled", "jumprelu"}) {
    const SparseAutoencoder sae = SparseAutoencoder::read(golden / name);
    const TensorMap expected = load_safetensors(golden / name / "expected.safetensors");
    const Tensor latents = sae.encode(expected.at("x"));
    EXPECT_LT((latents - expected.at("latents")).abs().max().item<double>(), 2e-5) << name;
    EXPECT_LT((sae.decode(latents) - expected.at("reconstructed")).abs().max().item<double>(), 2e-5) << name;
    EXPECT_EQ(hook_of_lens_name(sae.hook_name), (Hook{HookPoint::kResidual, 5})) << name;
  }
}

TEST(LensHookNames, GoBothWays) {
  for (const Hook& hook : {Hook{HookPoint::kResidual, 0}, Hook{HookPoint::kResidual, 5},
                           Hook{HookPoint::kMlp, 1}, Hook{HookPoint::kAttention, 12}})
    EXPECT_EQ(hook_of_lens_name(lens_hook_name(hook)), hook);
}

}  // namespace
}  // namespace hijack::sae_test
