// What prompts share is computed once; the result must be that of each prompt alone.
#include "models/prefix/shared_prefix.h"

#include <gtest/gtest.h>

#include "models/families/image_prompt_model.h"
#include "models/families/qwen_vl.h"
#include "models/load_model.h"
#include "models/prefix/packed_suffixes.h"
#include "src/base/image.h"

namespace hijack::shared_prefix_test {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden";

std::shared_ptr<const ImagePromptModel> family(const std::string& folder) {
  return std::dynamic_pointer_cast<const ImagePromptModel>(
      load_model(kGolden / folder, {.dtype = "float32"}));
}

double difference(const Tensor& a, const Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

/// `text` tokens, a 2 x 2 image, then the suffix.
Prompt prompt_with(int64_t text, const TokenIds& suffix, bool mrope = false) {
  Prompt prompt;
  for (int64_t i = 0; i < text; ++i) prompt.ids.push_back(5 + i % 7);
  for (int64_t i = 0; i < 4; ++i) prompt.image_places.push_back(prompt.ids.size() + static_cast<size_t>(i));
  prompt.ids.insert(prompt.ids.end(), 4, 3);
  prompt.ids.insert(prompt.ids.end(), suffix.begin(), suffix.end());
  if (mrope) prompt.positions = mrope_positions(static_cast<int64_t>(prompt.ids.size()), text, 2, 2);
  return prompt;
}

struct Step {
  std::vector<Tensor> logits;
  Tensor gradient;
};

Step step_of(const Decoder& decoder, std::vector<Prompt> prompts, const std::vector<TokenIds>& targets,
             const Tensor& features, PrefixMemo* memo = nullptr) {
  const Tensor leaf = features.detach().clone().requires_grad_(true);
  for (Prompt& prompt : prompts) prompt.features = leaf;
  Step step{shared_prefix_logits(decoder, prompts, targets, memo), {}};
  Tensor loss = at::zeros({});
  for (size_t i = 0; i < targets.size(); ++i)
    loss = loss + at::cross_entropy_loss(step.logits[i], at::tensor(targets[i], at::kLong));
  step.gradient = torch::autograd::grad({loss}, {leaf})[0];
  return step;
}

/// Of a 2 x 2 image, with `deep` further ones for the states of the first blocks.
Tensor random_features(const Decoder& decoder, int64_t deep = 0) {
  return at::sin(at::arange((1 + deep) * 4 * decoder.config().width, at::kFloat) * 0.37)
      .view({1 + deep, 4, -1});
}

int64_t deep_features_of(const std::string& family) {
  return family.starts_with("qwen3_vl") ? 2 : 0;
}

void expect_same(const Step& got, const Step& expected) {
  for (size_t i = 0; i < expected.logits.size(); ++i)
    EXPECT_LT(difference(got.logits[i], expected.logits[i]), 2e-5) << i;
  EXPECT_GT(expected.gradient.abs().max().item<float>(), 0);
  EXPECT_LT(difference(got.gradient, expected.gradient), 1e-4);
}

/// Prompts that differ late, early, not at all, and in their targets only: longer than one attention group.
void alike(std::vector<Prompt>& prompts, std::vector<TokenIds>& targets, bool mrope) {
  for (int64_t i = 0; i < 48; ++i) {
    TokenIds suffix = {11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22};
    suffix[static_cast<size_t>(i % 12)] = 25 + i / 12;
    if (i % 5 == 0) suffix.resize(9);
    prompts.push_back(prompt_with(3, suffix, mrope));
    targets.push_back({14, 15, 10 + i % 2, 16});
  }
  prompts.push_back(prompts.back());
  targets.push_back(targets.back());
}

class SharedTokens : public testing::TestWithParam<const char*> {};

TEST_P(SharedTokens, EqualEachPromptAlone) {
  const auto model = family(GetParam());
  const Decoder& decoder = model->decoder();
  std::vector<Prompt> prompts;
  std::vector<TokenIds> targets;
  alike(prompts, targets, !decoder.config().mrope_axes.empty());
  const Tensor features = random_features(decoder, deep_features_of(GetParam()));
  Step alone;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const Step one = step_of(decoder, {prompts[i]}, {targets[i]}, features);
    alone.logits.push_back(one.logits[0]);
    alone.gradient = i == 0 ? one.gradient : alone.gradient + one.gradient;
  }
  expect_same(step_of(decoder, prompts, targets, features), alone);
}

INSTANTIATE_TEST_SUITE_P(Golden, SharedTokens,
                         testing::Values("llava/clip_gqa", "qwen2_vl/small", "qwen3_vl/small",
                                         "gemma3/small", "paligemma/gemma2"));

/// The image in the shared prefix, among the packed tokens, and as the last tokens of a short decoder's pass.
TEST(DeepFeatures, AreAddedInWhicheverPassTheImageIs) {
  const auto model = family("qwen3_vl/small");
  const Decoder& decoder = model->decoder();
  std::vector<Prompt> prompts = {prompt_with(3, {11, 12, 13}, true), prompt_with(3, {21, 22}, true)};
  const std::vector<TokenIds> targets = {{14, 15, 16}, {17, 18}};
  for (const int64_t deep : {1, 2, 3, 5}) {  // of a decoder of three blocks
    SCOPED_TRACE(deep);
    const Tensor features = random_features(decoder, deep);
    const Step shared = step_of(decoder, prompts, targets, features);
    for (Prompt& prompt : prompts) prompt.shift = at::zeros({1, decoder.config().width});
    expect_same(step_of(decoder, prompts, targets, features), shared);
    for (Prompt& prompt : prompts) prompt.shift = Tensor();
    const Tensor without = step_of(decoder, prompts, targets, random_features(decoder)).logits[0];
    EXPECT_GT(difference(shared.logits[0], without), 1e-3);
    const Tensor last = shared.gradient[std::min<int64_t>(deep, 3) == 3 ? 2 : deep];
    EXPECT_GT(last.abs().max().item<float>(), 0);
    if (deep >= 3) {  // what is added after the last block, nobody reads
      EXPECT_EQ(shared.gradient.narrow(0, 3, deep - 2).abs().max().item<float>(), 0);
    }
  }
}

TEST(FeaturesOfTheirOwn, EqualEachPromptAlone) {
  const auto model = family("llava/clip_gqa");
  const Decoder& decoder = model->decoder();
  for (const int64_t text : {0, 3}) {  // tokens before the image, which are shared
    std::vector<Prompt> prompts = {prompt_with(text, {11, 12, 13}), prompt_with(text, {11, 12, 14}),
                                   prompt_with(text, {11, 12, 13})};
    const std::vector<TokenIds> targets = {{14, 15}, {14, 15}, {14, 15}};
    std::vector<Tensor> leaves;
    for (size_t i = 0; i < prompts.size(); ++i) {
      const auto factor =
          static_cast<double>(i < 2 ? i + 1 : 1);  // the last is the first in all but its tensor
      leaves.push_back((random_features(decoder) * factor).requires_grad_(true));
      prompts[i].features = leaves.back();
    }
    const auto groups = group_by_prefix(prompts);
    ASSERT_EQ(groups.size(), 1u);  // one pass
    EXPECT_EQ(groups[0].prefix, static_cast<size_t>(text));
    PrefixMemo memo;
    const auto together = shared_prefix_logits(decoder, prompts, targets, &memo);
    for (size_t i = 0; i < prompts.size(); ++i) {
      const auto alone = shared_prefix_logits(decoder, std::span(&prompts[i], 1), std::span(&targets[i], 1));
      EXPECT_LT(difference(together[i], alone[0]), 2e-5);
      const auto gradient = [&](const Tensor& logits) {
        return torch::autograd::grad({logits.sin().sum()}, {leaves[i]}, {}, /*retain_graph=*/true)[0];
      };
      EXPECT_LT(difference(gradient(together[i]), gradient(alone[0])), 1e-4);
    }
    EXPECT_GT(difference(together[1], together[0]), 1e-3);
    EXPECT_LT(difference(together[2], together[0]), 1e-5);
  }
}

TEST(TokensRead, AreThoseOfTheWholePass) {
  const auto model = family("llava/clip_gqa");
  const Decoder& decoder = model->decoder();
  const Tensor x = at::sin(at::arange(9 * decoder.config().width, at::kFloat) * 0.37).view({1, 9, -1});
  const Tensor positions = at::arange(9, at::kLong), read = at::tensor({8, 2, 5}, at::kLong);
  const auto run = [&](bool all) {
    const Tensor leaf = x.clone().requires_grad_(true);
    CausalPlan plan;
    const Tensor states = all ? decoder.forward({leaf, positions}, plan).index_select(1, read)
                              : decoder.forward({leaf, positions}, plan, read);
    return std::pair(states, torch::autograd::grad({states.sin().sum()}, {leaf})[0]);
  };
  const auto [states, gradient] = run(false);
  const auto [all_states, all_gradient] = run(true);
  ASSERT_EQ(states.sizes(), all_states.sizes());
  EXPECT_LT(difference(states, all_states), 1e-5);
  EXPECT_LT(difference(gradient, all_gradient), 1e-5);
  CausalPlan filled, passed;
  decoder.prefill({x, positions}, filled);
  decoder.forward({x, positions}, passed);
  ASSERT_EQ(filled.kept().keys.size(), static_cast<size_t>(decoder.config().layers));
  for (size_t layer = 0; layer < filled.kept().keys.size(); ++layer) {
    EXPECT_TRUE(at::equal(filled.kept().keys[layer], passed.kept().keys[layer])) << layer;
    EXPECT_TRUE(at::equal(filled.kept().values[layer], passed.kept().values[layer])) << layer;
  }
}

TEST(PackedSuffixes, PackWhatIsAlikeOnce) {
  const auto model = family("llava/clip_gqa");
  std::vector<Prompt> prompts;
  std::vector<TokenIds> targets;
  alike(prompts, targets, false);
  size_t all = 0;
  const auto group = group_by_prefix(prompts).at(0);
  for (size_t i = 0; i < prompts.size(); ++i)
    all += prompts[i].ids.size() - group.prefix + targets[i].size() - 1;
  const PackedSuffixes packed(model->decoder(), prompts, targets, group);
  EXPECT_LT(static_cast<size_t>(packed.tokens.size()), all * 3 / 4);
  EXPECT_GT(packed.tokens.size(), 192);  // several attention groups
  EXPECT_EQ(packed.paths[48], packed.paths[47]);
  for (size_t i = 0; i < prompts.size(); ++i)
    EXPECT_EQ(packed.paths[i].size(), prompts[i].ids.size() - group.prefix + targets[i].size() - 1);
}

TEST(PackedSuffixes, LeaveDifferentPromptsInTheirOrder) {
  const auto model = family("llava/clip_gqa");
  const std::vector<Prompt> prompts = {prompt_with(3, {20, 21, 22}), prompt_with(3, {11, 12})};
  const std::vector<TokenIds> targets = {{14, 15}, {14, 15}};
  const PackedSuffixes packed(model->decoder(), prompts, targets, group_by_prefix(prompts).at(0));
  EXPECT_EQ(packed.tokens.parents, (std::vector<int64_t>{-1, 0, 1, 2, -1, 4, 5}));
  EXPECT_EQ(packed.tokens.runs, (std::vector<int64_t>{0, 4}));
}

class LongSystemPrompt : public testing::TestWithParam<const char*> {};

TEST_P(LongSystemPrompt, IsRememberedWithoutChangingTheStep) {
  const auto model = family(GetParam());
  const Decoder& decoder = model->decoder();
  const bool mrope = !decoder.config().mrope_axes.empty();
  const Tensor features = random_features(decoder, deep_features_of(GetParam()));
  const std::vector<TokenIds> targets = {{14, 15, 16}, {17, 18}};
  PrefixMemo memo;
  for (const int64_t text : {20, 24, 20}) {  // another prefix in between
    const std::vector<Prompt> prompts = {prompt_with(text, {11, 12, 13}, mrope),
                                         prompt_with(text, {21, 22}, mrope)};
    expect_same(step_of(decoder, prompts, targets, features * (1 + text), &memo),
                step_of(decoder, prompts, targets, features * (1 + text)));
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, LongSystemPrompt,
                         testing::Values("llava/clip_gqa", "qwen2_vl/small", "qwen3_vl/small",
                                         "gemma3/small", "paligemma/gemma2"));

TEST(PrefixMemo, ComputesTextOnce) {
  PrefixMemo memo;
  int computed = 0;
  const auto compute = [&] {
    ++computed;
    return KeyValues{{at::ones({1, 1, 2, 4})}, {at::ones({1, 1, 2, 4})}};
  };
  const Tensor places = at::arange(2, at::kLong).unsqueeze(0);
  memo.prefix({1, 2}, places, {}, compute);
  memo.prefix({1, 2}, places, {}, compute);
  EXPECT_EQ(computed, 1);
  memo.prefix({1, 3}, places, {}, compute);
  memo.prefix({1, 2}, places + 1, {}, compute);
  EXPECT_EQ(computed, 3);
  memo.prefix({1, 2}, places, {}, compute);
  EXPECT_EQ(computed, 3);
  for (TokenId id = 10; id < 20; ++id) memo.prefix({id}, places, {}, compute);
  memo.prefix({1, 2}, places, {}, compute);  // only the latest few are kept
  EXPECT_EQ(computed, 14);
}

TEST(PrefixMemo, FollowsThePixels) {
  PrefixMemo memo;
  int computed = 0;
  const auto compute = [&] { return ++computed, at::full({1, 4, 8}, computed); };
  Pixels pixels{at::zeros({1, 3, 8, 8}), 8, 8};
  const Tensor first = memo.features(pixels, compute);
  EXPECT_TRUE(memo.features(pixels, compute).is_same(first));
  EXPECT_TRUE(memo.keeps(first));
  pixels.values.add_(0.5);
  const Tensor second = memo.features(pixels, compute);
  EXPECT_EQ(computed, 2);
  EXPECT_FALSE(memo.keeps(first));
  pixels.image_width = 9;  // another layout of the same pixels
  memo.features(pixels, compute);
  EXPECT_EQ(computed, 3);
  pixels.values = pixels.values.clone();
  memo.features(pixels, compute);
  EXPECT_EQ(computed, 4);
}

TEST(PrefixMemo, KeepsNothingThatTakesAGradient) {
  PrefixMemo memo;
  const Pixels pixels{at::ones({1, 3, 8, 8}).requires_grad_(true), 8, 8};
  const auto compute = [&] { return pixels.values.mean({2, 3}).unsqueeze(0); };
  {
    const at::NoGradGuard no_gradients;
    EXPECT_TRUE(memo.keeps(memo.features(pixels, compute)));
  }
  const Tensor features = memo.features(pixels, compute);
  EXPECT_TRUE(features.requires_grad());
  EXPECT_FALSE(memo.keeps(features));
}

TEST(PrefixMemo, LetsGoWithTheCaller) {
  PrefixMemo memo;
  const Tensor features = [&] {
    const Pixels pixels{at::zeros({1, 3, 8, 8}), 8, 8};
    return memo.features(pixels, [] { return at::ones({1, 4, 8}); });
  }();
  ASSERT_TRUE(memo.keeps(features));
  const Pixels next{at::zeros({1, 3, 8, 8}).requires_grad_(true), 8, 8};
  memo.features(next, [&] { return next.values.mean({2, 3}).unsqueeze(0); });
  EXPECT_FALSE(memo.keeps(features));
}

TEST(ImagePrompt, ChangedPixelsChangeTheAnswer) {
  const auto model = family("llava/clip_gqa"), fresh = family("llava/clip_gqa");
  const at::NoGradGuard no_gradients;
  Pixels pixels = model->preprocess(load_image(kGolden / "llava/images/wide.png"));
  const std::vector<Query> queries = {{"What is it?"}, {"Where?"}};
  const std::vector<TokenIds> targets(2, model->target_ids("it is a cat"));
  const auto ask = [&](const ImagePromptModel& asked) {
    return at::cat(asked.target_logits(pixels, queries, targets), 0);
  };
  const Tensor before = ask(*model);
  EXPECT_TRUE(at::equal(ask(*model), before));
  pixels.values.mul_(-1);
  const Tensor after = ask(*model);
  EXPECT_GT(difference(after, before), 1e-3);
  EXPECT_TRUE(at::equal(after, ask(*fresh)));
}

}  // namespace
}  // namespace hijack::shared_prefix_test
