// --dtype autocast: what is rounded to bfloat16 and what is not, in every family; and libtorch's own autocast
// as a guard.
#include "models/autocast.h"

#include <ATen/autocast_mode.h>
#include <gtest/gtest.h>

#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/stored_weights.h"
#include "models/dtype.h"
#include "models/encoders/encoder_model.h"
#include "models/families/image_prompt_model.h"
#include "models/load_model.h"
#include "models/network/activation_checkpointing.h"
#include "models/network/layers.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/expect_says.h"
#include "tests/support/golden_step.h"
#include "tests/support/temporary_folder.h"

namespace hijack::autocast_test {
namespace {

using support::golden_step;
using support::Step;

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden";

/// Whether bfloat16 can hold every number.
bool is_rounded(const Tensor& x) {
  return at::equal(x.to(at::kBFloat16).to(x.scalar_type()), x);
}

double cosine(const Tensor& a, const Tensor& b) {
  return ((a * b).sum() / (a.norm() * b.norm())).item<double>();
}

std::shared_ptr<const VisionLanguageModel> load(const std::string& name, const std::string& dtype) {
  return load_model(kGolden / name, {.dtype = dtype});
}

class AutocastFamilies : public testing::TestWithParam<const char*> {
 protected:
  void TearDown() override { set_activation_checkpointing(ActivationCheckpointing::kAuto); }
};

TEST_P(AutocastFamilies, IsFloat32UpToTheRoundingOfProducts) {
  const Step exact = golden_step(*load(GetParam(), "float32")),
             step = golden_step(*load(GetParam(), "autocast"));
  EXPECT_EQ(step.logits.scalar_type(), at::kFloat);
  EXPECT_EQ(step.gradient.scalar_type(), at::kFloat);
  const double off = ((step.logits - exact.logits).norm() / exact.logits.norm()).item<double>();
  EXPECT_GT(off, 1e-4);
  EXPECT_LT(off, 0.1);
  EXPECT_GT(cosine(step.gradient, exact.gradient), 0.9);
}

TEST_P(AutocastFamilies, RecomputedBlocksGiveTheSameBytes) {
  const auto model = load(GetParam(), "autocast");
  set_activation_checkpointing(ActivationCheckpointing::kOff);
  const Step kept = golden_step(*model);
  set_activation_checkpointing(ActivationCheckpointing::kOn);
  const Step recomputed = golden_step(*model);
  EXPECT_TRUE(at::equal(kept.logits, recomputed.logits));
  EXPECT_TRUE(at::equal(kept.gradient, recomputed.gradient));
}

TEST_P(AutocastFamilies, TheResidualStreamIsNotRounded) {
  const auto model = load(GetParam(), "autocast");
  const Pixels pixels = model->preprocess(load_image(kGolden / "llava/images/wide.png"));
  const at::NoGradGuard no_gradients;
  const std::vector<Query> queries = {{"What is it?"}};
  const int64_t last = model->hooks()->layers();
  const std::vector<Hook> hooks = {{HookPoint::kResidual, last}, {HookPoint::kMlp, last}};
  const auto found = model->hooks()->states_at(pixels, queries, {}, hooks, TokenChoice::kAll)[0].states;
  EXPECT_EQ(found[0].scalar_type(), at::kFloat);
  EXPECT_FALSE(is_rounded(found[0]));
  EXPECT_TRUE(is_rounded(found[1])) << "what an MLP adds is a product's or a bfloat16 norm's";
}

TEST_P(AutocastFamilies, RepliesFollowTheLogits) {
  const auto model = load(GetParam(), "autocast");
  const Pixels pixels = model->preprocess(load_image(kGolden / "llava/images/wide.png"));
  const at::NoGradGuard no_gradients;
  const std::vector<Query> queries = {{"What is it?"}, {"Where is the cat?"}};
  EXPECT_EQ(model->generate(pixels, queries, {.max_new_tokens = 6}).size(), 2u);
  const auto replies = model->generate(pixels, queries, {.max_new_tokens = 1});
  for (size_t i = 0; i < replies.size(); ++i) {
    const Tensor first = model->target_logits(pixels, {&queries[i], 1}, std::vector<TokenIds>{{5}})[0][0];
    const auto best = first.topk(2);
    if ((std::get<0>(best)[0] - std::get<0>(best)[1]).item<float>() < 0.1) continue;  // either may be said
    const TokenIds ids = {std::get<1>(best)[0].item<int64_t>()};
    EXPECT_EQ(replies[i].text, model->tokenizer().decode(ids, /*skip_special_tokens=*/true));
  }
  EXPECT_TRUE(model->language_model()->prompt_nll("a cat and a dog").isfinite().all().item<bool>());
}

INSTANTIATE_TEST_SUITE_P(Golden, AutocastFamilies,
                         testing::Values("llava/clip_gqa", "llava/siglip", "idefics3/hub_tiles",
                                         "llava_onevision/anyres", "qwen2_vl/small", "qwen2_5_vl/small",
                                         "qwen3_vl/small", "paligemma/small", "paligemma/gemma2",
                                         "gemma3/small", "internvl/six", "mistral3/small",
                                         "instructblip/small"));

TEST(AutocastModels, MatricesAreRoundedOnceAndNothingElse) {
  const auto model = load("llava/siglip", "autocast");  // its head is tied to the embeddings
  const auto& decoder = dynamic_cast<const ImagePromptModel&>(*model).decoder();
  EXPECT_EQ(decoder.key_dtype(), at::kBFloat16);
  EXPECT_EQ(decoder.embed(at::zeros({1}, at::kLong)).scalar_type(), at::kFloat);
  EXPECT_TRUE(decoder.frozen());
  const auto other = load("llava/siglip", "float32");
  EXPECT_EQ(dynamic_cast<const ImagePromptModel&>(*other).decoder().key_dtype(), at::kFloat)
      << "a model loaded later is no autocast";
}

TEST(AutocastModels, TheGradientToTheEmbeddingsIsRightEnough) {
  const auto scores = [](const std::string& dtype) {
    const auto model = load("llava/clip_gqa", dtype);
    const Pixels pixels = model->preprocess(load_image(kGolden / "llava/images/wide.png"));
    const std::vector<Query> queries = {{.prompt = "Where is it? Say"}};
    const std::vector<TokenIds> targets = {model->target_ids("cat")};
    return prompt_embeddings_of(*model).swap_scores(pixels, queries, targets, "Say", {});
  };
  const Tensor exact = scores("float32"), got = scores("autocast");
  EXPECT_EQ(got.scalar_type(), at::kFloat);
  EXPECT_GT(cosine(exact, got), 0.95);
}

TEST(AutocastModels, ChangesOfStatesSeeTheStreamInFloat32) {
  const auto model = load("llava/clip_gqa", "autocast");
  const Pixels pixels = model->preprocess(load_image(kGolden / "llava/images/wide.png"));
  std::vector<at::ScalarType> seen;
  Tensor product;
  const Tensor matrix = at::rand({24, 24}, at::make_generator<at::CPUGeneratorImpl>(3));
  const StateChange change = {{HookPoint::kResidual, 1}, [&](const Tensor& states) {
                                seen.push_back(states.scalar_type());
                                product = states.matmul(matrix);
                                return states;
                              }};
  const at::NoGradGuard no_gradients;
  model->hooks()->changed_target_logits(pixels, std::vector<Query>{{.prompt = "Who?"}},
                                        std::vector<TokenIds>{{5}}, {&change, 1});
  ASSERT_FALSE(seen.empty());
  for (const at::ScalarType type : seen) EXPECT_EQ(type, at::kFloat);
  EXPECT_FALSE(is_rounded(product)) << "what a hook computes is its own business";
}

class AutocastEncoders : public testing::TestWithParam<const char*> {};

TEST_P(AutocastEncoders, EncodeNearFloat32) {
  const auto encoded = [&](const std::string& dtype) {
    const auto encoder = encoder_of(load(std::string("encoders/") + GetParam(), dtype));
    const EncodedImages seen = encoder->encode(load_image(kGolden / "llava/images/wide.png"));
    return std::vector<Tensor>{seen.embedding, seen.patches,
                               encoder->reads_text() ? encoder->text_embedding("a photo") : seen.embedding};
  };
  const auto exact = encoded("float32"), got = encoded("autocast");
  for (size_t i = 0; i < exact.size(); ++i) {
    EXPECT_EQ(got[i].scalar_type(), at::kFloat);
    EXPECT_FALSE(at::equal(got[i], exact[i]));
    EXPECT_GT(cosine(got[i], exact[i]), 0.99);
  }
  EXPECT_FALSE(is_rounded(got[1])) << "patches are of the residual stream";
}

INSTANTIATE_TEST_SUITE_P(Golden, AutocastEncoders, testing::Values("clip", "siglip", "dinov2"));

TEST(ResidualSum, HasTheStreamsTypeAndIsInPlaceWhereTypesAgree) {
  const Tensor stream = at::full({3}, 1.0 + 1.0 / 1024);
  const Tensor sum = residual_sum(stream, at::full({3}, 0.5, at::kBFloat16));
  EXPECT_EQ(sum.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(sum, at::full({3}, 1.5 + 1.0 / 1024)));
  const Tensor added = at::ones({3});
  EXPECT_EQ(residual_sum(stream, added).data_ptr(), added.data_ptr());
}

TEST(AutocastLinear, RoundsWhatTorchsAutocastRounds) {
  const auto numbers = [](at::IntArrayRef shape, uint64_t seed) {
    return at::randn(shape, at::make_generator<at::CPUGeneratorImpl>(seed));
  };
  const Tensor weight = numbers({7, 33}, 1), bias = numbers({7}, 2);
  const Tensor x = numbers({5, 33}, 3).requires_grad_(true), with = numbers({5, 7}, 4);
  Tensor expected;
  {
    const Autocast autocast(at::kCPU);
    expected = at::linear(x, weight, bias);
  }
  const Tensor got = Linear(weight, bias, /*autocast=*/true)(x);
  ASSERT_EQ(expected.scalar_type(), at::kBFloat16);
  ASSERT_EQ(got.scalar_type(), at::kBFloat16);
  const auto gradient = [&](const Tensor& y) {
    return torch::autograd::grad({(y.to(at::kFloat) * with).sum()}, {x})[0];
  };
  // sums in another order: at most one rounding apart
  EXPECT_TRUE(at::allclose(got.to(at::kFloat), expected.to(at::kFloat), 1.0 / 128, 1e-6));
  EXPECT_TRUE(at::allclose(gradient(got), gradient(expected), 1.0 / 128, 1e-6));
}

struct State {
  bool on;
  at::ScalarType type;
  bool operator==(const State&) const = default;
};

State state() {
  return {at::autocast::is_autocast_enabled(at::kCPU), at::autocast::get_autocast_dtype(at::kCPU)};
}

TEST(AutocastGuard, RestoresWhatWasBefore) {
  const State before = state();
  EXPECT_FALSE(before.on);
  {
    const Autocast outer(at::kCPU);
    EXPECT_EQ(state(), (State{true, at::kBFloat16}));
    at::autocast::set_autocast_dtype(at::kCPU, at::kHalf);
    {
      const Autocast off(at::kCPU, /*on=*/false);
      EXPECT_EQ(state(), (State{true, at::kHalf}));
      const Autocast inner(at::kCPU);
      EXPECT_EQ(state(), (State{true, at::kBFloat16}));
    }
    EXPECT_EQ(state(), (State{true, at::kHalf}));
  }
  EXPECT_EQ(state(), before);
  EXPECT_THROW(
      [] {
        const Autocast autocast(at::kCPU);
        throw Error("x");
      }(),
      Error);
  EXPECT_EQ(state(), before);
  EXPECT_EQ(at::autocast::increment_nesting(), 1);
  at::autocast::decrement_nesting();
}

TEST(AutocastScope, EndsWithAnError) {
  EXPECT_FALSE(AutocastScope::is_on());
  EXPECT_THROW(load_model(kGolden / "llava/images", {.dtype = "autocast"}), Error);
  EXPECT_FALSE(AutocastScope::is_on());
}

TEST(Dtype, AutoIsChosenByDeviceAndStoredWeights) {
  EXPECT_EQ(chosen_dtype("auto", at::kCPU, true), "float32");
  EXPECT_EQ(chosen_dtype("auto", at::kCPU, false), "float32");
  EXPECT_EQ(chosen_dtype("auto", at::kCUDA, true), "autocast");
  EXPECT_EQ(chosen_dtype("auto", at::Device("cuda:1"), false), "bfloat16");
  for (const std::string& name : dtype_names()) {
    if (name != "auto") {
      EXPECT_EQ(chosen_dtype(name, at::kCUDA, true), name);
    }
    EXPECT_NE(std::string(kDtypeHelp).find(name), std::string::npos);
    EXPECT_SAYS(support::error_of([] { chosen_dtype("nonsense", at::kCPU, true); }), name);
  }
  EXPECT_EQ(weight_dtype("autocast"), at::kFloat);
  EXPECT_EQ(weight_dtype("float16"), at::kHalf);
}

TEST(Dtype, StoredWeightsAreOfTheTypeThatMostParametersHave) {
  EXPECT_TRUE(stored_weights(kGolden / "llava/clip_gqa").mostly("float32"));
  EXPECT_FALSE(stored_weights(kGolden / "llava/siglip").mostly("float32"));
  EXPECT_TRUE(stored_weights(kGolden / "llava/siglip").mostly("bfloat16"));
  EXPECT_FALSE(StoredWeights().mostly("float32"));
  EXPECT_TRUE(stored_in_float32(kGolden / "llava/clip_gqa"));
  for (const char* other : {"llava/siglip", "encoders/open_clip", "llava/images", "no/such/folder"})
    EXPECT_FALSE(stored_in_float32(kGolden / other)) << other;
}

}  // namespace
}  // namespace hijack::autocast_test
