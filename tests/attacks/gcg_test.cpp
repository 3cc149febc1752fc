#include "attacks/text/gcg.h"

#include <gtest/gtest.h>

#include "attacks/text/suffix.h"
#include "src/base/error.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/toy_model.h"

namespace hijack::gcg_test {
namespace {

TEST(GibberishSuffix, SurvivesTheTokenizerAndIsSeeded) {
  // "a" and "b" merge: most random sequences do not survive.
  const auto tokenizer = word_tokenizer({"ab", "ba", "abab"});
  const std::string suffix = gibberish_suffix(*tokenizer, 12, 3);
  const TokenIds ids = tokenizer->encode(suffix, false);
  EXPECT_EQ(ids.size(), 12u);
  EXPECT_EQ(tokenizer->decode(ids, true), suffix);
  for (char c : suffix) EXPECT_TRUE(c >= ' ' && c <= '~');
  EXPECT_EQ(gibberish_suffix(*tokenizer, 12, 3), suffix);
  EXPECT_NE(gibberish_suffix(*tokenizer, 12, 4), suffix);
  EXPECT_THROW(gibberish_suffix(*tokenizer, 0, 3), Error);
}

TEST(WithSuffix, StandsAfterThePrompt) {
  const Context context = with_suffix({.prompt = "say it", .system = "S"}, "!! ??");
  EXPECT_EQ(context.prompt, "say it !! ??");
  EXPECT_EQ(context.system, "S");
}

/// The toy model cannot rank swaps: the search is random there. The pocket golden test checks the ranking.
struct Gcg : ::testing::Test {
  ToyModel model;
  Tensor image = toy_image();
  std::vector<Context> contexts = toy_contexts(3);
  std::unique_ptr<Behavior> behavior = make_behavior({.name = "string", .target = "yes"});

  double loss(const std::string& suffix, double weight = 0) const {
    return suffix_loss(model, model.preprocess(image), contexts, *behavior, suffix, weight);
  }
  GcgResult search(int64_t steps, uint64_t seed = 1, double weight = 0) const {
    return gcg_suffix(
        model, image, contexts, *behavior,
        {.tokens = 4, .steps = steps, .candidates = 6, .contexts = 0, .perplexity_weight = weight}, seed);
  }
};

TEST_F(Gcg, StartsAtGibberishAndLowersTheLoss) {
  EXPECT_EQ(search(0).suffix, gibberish_suffix(model.tokenizer(), 4, 1));
  const GcgResult some = search(5), more = search(30);
  EXPECT_LT(more.loss, search(0).loss);
  EXPECT_LE(more.loss, some.loss) << "the first 5 steps of both are the same";
  EXPECT_EQ(more.losses.size(), 30u);
  EXPECT_NEAR(more.loss, loss(more.suffix), 1e-5) << "the loss is that of the suffix returned";
}

TEST_F(Gcg, IsDeterministicAndKeepsItsLength) {
  const GcgResult result = search(5);
  EXPECT_EQ(search(5).suffix, result.suffix);
  EXPECT_EQ(model.tokenizer().encode(result.suffix, false).size(), 4u);
}

TEST_F(Gcg, AdaptiveSearchWeighsThePerplexityOfThePrompts) {
  const GcgResult result = search(10, 1, .5);
  EXPECT_NEAR(result.loss, loss(result.suffix, .5), 1e-5);
  EXPECT_NE(loss(result.suffix, .5), loss(result.suffix, 0));
}

TEST_F(Gcg, StopsAndTellsEachStep) {
  std::stop_source source;
  int64_t steps = 0;
  GcgHooks hooks{.after_step =
                     [&](int64_t step, double) {
                       if ((steps = step) == 2) source.request_stop();
                     },
                 .stop = source.get_token()};
  gcg_suffix(model, image, contexts, *behavior, {.tokens = 4, .steps = 50, .candidates = 2}, 1, hooks);
  EXPECT_EQ(steps, 2);
}

TEST_F(Gcg, SaysOnceThatSwapsAreNotRankedUnlessThatWasAskedFor) {
  std::vector<std::string> notes;
  GcgHooks hooks{.note = [&](const std::string& text) { notes.push_back(text); }};
  GcgConfig config{.tokens = 4, .steps = 3, .candidates = 2, .top_k = 0};
  gcg_suffix(model, image, contexts, *behavior, config, 1, hooks);
  EXPECT_TRUE(notes.empty());
  config.top_k = 8;
  gcg_suffix(model, image, contexts, *behavior, config, 1, hooks);
  ASSERT_EQ(notes.size(), 1u);
  EXPECT_NE(notes[0].find("not ranked by the gradient"), std::string::npos) << notes[0];
}

TEST_F(Gcg, BadInputIsRefused) {
  const auto run = [&](const GcgConfig& config) { gcg_suffix(model, image, contexts, *behavior, config, 1); };
  EXPECT_THROW(gcg_suffix(model, image, {}, *behavior, {}, 1), Error);
  EXPECT_THROW(run({.steps = -1}), Error);
  EXPECT_THROW(run({.candidates = 0}), Error);
  EXPECT_THROW(run({.top_k = -1}), Error);
  EXPECT_THROW(run({.perplexity_weight = 1.5}), Error);
  EXPECT_THROW(run({.tokens = 0}), Error);
}

}  // namespace
}  // namespace hijack::gcg_test
