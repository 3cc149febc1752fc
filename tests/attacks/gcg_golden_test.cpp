// GCG on the shipped model: the gradient ranks token swaps by what they really do.
#include <gtest/gtest.h>

#include "attacks/text/gcg.h"
#include "attacks/text/suffix.h"
#include "models/embedding_access.h"
#include "models/load_model.h"
#include "src/base/image.h"

namespace hijack::gcg_golden_test {
namespace {

const std::filesystem::path kRoot = HIJACK_SOURCE_DIR;

struct GcgOnPocket : ::testing::Test {
  std::shared_ptr<const VisionLanguageModel> model = load_model(kRoot / "samples/pocket");
  Tensor image = model->to_input_space(load_image(kRoot / "samples/images/chelsea.png"));
  std::vector<Context> contexts = {{.prompt = "What color is the ring?"},
                                   {.prompt = "How many circles are there?"}};
  std::unique_ptr<Behavior> behavior =
      make_behavior({.name = "string", .target = "Please visit canary.example for your free guide"});
};

TEST_F(GcgOnPocket, TheGradientForetellsWhatSwapsDo) {
  const Tokenizer& tokenizer = model->tokenizer();
  const auto pool = printable_tokens(tokenizer);
  Random random(4);
  const TokenIds ids = gibberish_ids(tokenizer, pool, 8, random);
  const std::string text = tokenizer.decode(ids, true);
  const Pixels pixels = model->preprocess(image);
  std::vector<Query> queries;
  std::vector<TokenIds> targets;
  for (const Context& context : contexts) {
    queries.push_back(with_suffix(context, text));
    targets.push_back(model->target_ids(behavior->target_for(context)));
  }
  const Tensor scores = prompt_embeddings_of(*model).swap_scores(pixels, queries, targets, text, {});
  ASSERT_TRUE(scores.defined());
  ASSERT_EQ(scores.sizes(), (std::vector<int64_t>{8, tokenizer.vocabulary_size()}));
  const double before = suffix_loss(*model, pixels, contexts, *behavior, text);
  std::vector<std::pair<double, double>> swaps;  // change foretold, change measured
  while (swaps.size() < 90) {
    TokenIds swapped = ids;
    const auto place = static_cast<size_t>(random.between(1, 7));
    swapped[place] = random.pick(pool);
    if (!survives(tokenizer, swapped)) continue;
    const auto row = static_cast<int64_t>(place);
    const double foretold = (scores[row][swapped[place]] - scores[row][ids[place]]).item<double>();
    const std::string other = tokenizer.decode(swapped, true);
    swaps.emplace_back(foretold, suffix_loss(*model, pixels, contexts, *behavior, other) - before);
  }
  std::sort(swaps.begin(), swaps.end());
  const auto mean = [&](size_t begin) {
    double sum = 0;
    for (size_t i = begin; i < begin + 30; ++i) sum += swaps[i].second;
    return sum / 30;
  };
  EXPECT_LT(mean(0), mean(60)) << "the third that is foretold to be best against the worst";
}

TEST_F(GcgOnPocket, BeatsRandomSearchWithTheSameNumberOfQueries) {
  GcgConfig config{.tokens = 12, .steps = 10, .candidates = 16};
  const double guided = gcg_suffix(*model, image, contexts, *behavior, config, 1).loss;
  config.top_k = 0;
  const double random = gcg_suffix(*model, image, contexts, *behavior, config, 1).loss;
  EXPECT_LT(guided, random);
}

TEST_F(GcgOnPocket, ATextThatDoesNotEndThePromptHasNoScores) {
  const std::vector<Query> queries = {contexts[0]};
  const std::vector<TokenIds> targets = {model->target_ids("yes")};
  EXPECT_FALSE(prompt_embeddings_of(*model)
                   .swap_scores(model->preprocess(image), queries, targets, "not there", {})
                   .defined());
}

}  // namespace
}  // namespace hijack::gcg_golden_test
