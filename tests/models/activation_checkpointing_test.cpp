// Recomputing blocks and storing weights in 16 bits must not change what a step computes.
#include "models/network/activation_checkpointing.h"

#include <gtest/gtest.h>

#include "models/load_model.h"
#include "models/network/layers.h"
#include "src/base/error.h"
#include "tests/support/golden_step.h"

namespace hijack::activation_checkpointing_test {
namespace {

using support::golden_step;
using support::Step;

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden";

class CheckpointedFamilies : public testing::TestWithParam<const char*> {
 protected:
  void TearDown() override { set_activation_checkpointing(ActivationCheckpointing::kAuto); }
};

TEST_P(CheckpointedFamilies, SameBytes) {
  const auto model = load_model(kGolden / GetParam());
  set_activation_checkpointing(ActivationCheckpointing::kOff);
  const Step kept = golden_step(*model);
  set_activation_checkpointing(ActivationCheckpointing::kOn);
  const Step recomputed = golden_step(*model);
  EXPECT_GT(kept.gradient.abs().max().item<float>(), 0);
  EXPECT_TRUE(at::equal(kept.logits, recomputed.logits));
  EXPECT_TRUE(at::equal(kept.gradient, recomputed.gradient));
}

INSTANTIATE_TEST_SUITE_P(Golden, CheckpointedFamilies,
                         testing::Values("llava/clip_gqa", "llava/siglip", "idefics3/hub_tiles",
                                         "llava_onevision/anyres", "qwen2_vl/small", "qwen2_5_vl/small",
                                         "qwen3_vl/small", "paligemma/small", "paligemma/gemma2",
                                         "gemma3/small", "internvl/six", "instructblip/small"));

class NarrowFamilies : public testing::TestWithParam<const char*> {};

TEST_P(NarrowFamilies, StoredNarrowComputesAsStoredWide) {
  if (compute_dtype(at::kBFloat16, at::kCPU) != at::kFloat)
    GTEST_SKIP() << "this processor computes in bfloat16 itself";
  const auto wide = load_model(kGolden / GetParam(), {.dtype = "float32"});
  const auto narrow = load_model(kGolden / GetParam(), {.dtype = "bfloat16"});
  const Step expected = golden_step(*wide), got = golden_step(*narrow);
  const auto difference = [](const Tensor& a, const Tensor& b) {
    return ((a - b).abs().max() / b.abs().max()).item<float>();
  };
  EXPECT_LT(difference(got.logits, expected.logits), 2e-5);
  EXPECT_LT(difference(got.gradient, expected.gradient), 1e-4);
}

// whose weights are stored in bfloat16, so that both load the same numbers
INSTANTIATE_TEST_SUITE_P(Golden, NarrowFamilies,
                         testing::Values("llava/hub_bf16", "llava/siglip", "idefics3/grid19",
                                         "llava_onevision/clip", "qwen2_vl/hub_bf16", "qwen3_vl/hub_bf16",
                                         "paligemma/hub_bf16", "internvl/hub_bf16", "instructblip/hub_bf16"));

/// y = x + tanh(x) * s, counting its runs.
struct CountedBlock {
  std::shared_ptr<int> runs = std::make_shared<int>(0);
  std::vector<Tensor> operator()(const std::vector<Tensor>& in) const {
    ++*runs;
    return {in[0] + in[0].tanh() * in[1], in[0] * 2};
  }
};

TEST(BlockRunner, RunsTwiceWhenOnAndDifferentiatesToEveryInput) {
  const Tensor x = at::linspace(-1, 1, 6).requires_grad_(true), s = at::full({6}, 0.7).requires_grad_(true);
  const CountedBlock block;
  const auto gradients = [&](ActivationCheckpointing mode) {
    set_activation_checkpointing(mode);
    const auto out = BlockRunner(x, /*frozen=*/true, 1, 1)(block, {x, s});
    return torch::autograd::grad({out[0].sum() + out[1].square().sum()}, {x, s});
  };
  const auto kept = gradients(ActivationCheckpointing::kOff);
  EXPECT_EQ(*block.runs, 1);
  const auto recomputed = gradients(ActivationCheckpointing::kOn);
  EXPECT_EQ(*block.runs, 3);
  for (size_t i = 0; i < 2; ++i) EXPECT_TRUE(at::equal(kept[i], recomputed[i]));
  set_activation_checkpointing(ActivationCheckpointing::kAuto);
}

TEST(BlockRunner, AutoDecidesByFreeMemoryAndSaysWhy) {
  const Tensor x = at::ones({2}).requires_grad_(true);
  const CountedBlock block;
  const auto runs_of = [&](bool frozen, int64_t bytes) {
    *block.runs = 0;
    const auto out = BlockRunner(x, frozen, 10, bytes)(block, {x, x});
    torch::autograd::grad({out[0].sum()}, {x});
    return *block.runs;
  };
  set_activation_checkpointing(ActivationCheckpointing::kAuto);
  EXPECT_EQ(runs_of(true, 1000), 1);
  EXPECT_FALSE(checkpointing_reason().has_value());
  EXPECT_EQ(runs_of(false, int64_t{1} << 50), 1) << "weights that take gradients must not lose them";
  EXPECT_EQ(runs_of(true, int64_t{1} << 50), 2);
  ASSERT_TRUE(checkpointing_reason().has_value());
  EXPECT_EQ(checkpointing_reason()->needed, int64_t{10} << 50);
  set_activation_checkpointing(ActivationCheckpointing::kAuto);
}

TEST(ActivationCheckpointing, UnknownNamesAreRefused) {
  EXPECT_EQ(checkpointing_from_name("off"), ActivationCheckpointing::kOff);
  EXPECT_THROW(checkpointing_from_name("maybe"), Error);
}

}  // namespace
}  // namespace hijack::activation_checkpointing_test
