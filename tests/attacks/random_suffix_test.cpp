#include "attacks/text/random_suffix.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/toy_model.h"

namespace hijack {
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

struct RandomSearch : ::testing::Test {
  ToyModel model;
  Tensor image = toy_image();
  std::vector<Context> contexts = toy_contexts(3);

  double loss(const std::string& suffix) const {
    return suffix_loss(model, model.preprocess(image), contexts, "yes", suffix);
  }
  std::string search(int64_t iterations, uint64_t seed = 1) const {
    return random_search_suffix(model, image, contexts, "yes", 4, iterations, seed);
  }
};

TEST_F(RandomSearch, NeverRaisesTheLossAndUsuallyLowersIt) {
  EXPECT_EQ(search(0), gibberish_suffix(model.tokenizer(), 4, 1)) << "that is where it starts";
  const double start = loss(search(0)), some = loss(search(20)), more = loss(search(100));
  EXPECT_LE(some, start);
  EXPECT_LE(more, some) << "the first 20 candidates of both are the same";
  EXPECT_LT(more, start);
}

TEST_F(RandomSearch, IsDeterministicAndKeepsItsLength) {
  const std::string suffix = search(20);
  EXPECT_EQ(search(20), suffix);
  EXPECT_EQ(model.tokenizer().encode(suffix, false).size(), 4u);
}

TEST_F(RandomSearch, RefusesNoContextsAndEmptyTargets) {
  EXPECT_THROW(random_search_suffix(model, image, {}, "yes", 4, 5, 1), Error);
  EXPECT_THROW(random_search_suffix(model, image, contexts, "", 4, 5, 1), Error);
  EXPECT_THROW(random_search_suffix(model, image, contexts, "yes", 4, -1, 1), Error);
}

}  // namespace
}  // namespace hijack
