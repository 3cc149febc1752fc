// GCG on the shipped model: the gradient ranks token swaps by what they really do.
#include <gtest/gtest.h>

#include "attacks/text/gcg.h"
#include "attacks/text/suffix.h"
#include "models/load_model.h"
#include "src/base/image.h"

namespace hijack {
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

double correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const Tensor both = at::stack({at::tensor(a, at::kDouble), at::tensor(b, at::kDouble)});
  return at::corrcoef(both)[0][1].item<double>();
}

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
  const Tensor scores = model->swap_scores(pixels, queries, targets, text);
  ASSERT_TRUE(scores.defined());
  ASSERT_EQ(scores.sizes(), (std::vector<int64_t>{8, tokenizer.vocabulary_size()}));
  const double before = suffix_loss(*model, pixels, contexts, *behavior, text);
  std::vector<double> foretold, happened;
  while (foretold.size() < 60) {
    TokenIds swapped = ids;
    const auto place = static_cast<size_t>(random.between(1, 7));
    swapped[place] = random.pick(pool);
    if (!survives(tokenizer, swapped)) continue;
    const auto row = static_cast<int64_t>(place);
    foretold.push_back((scores[row][swapped[place]] - scores[row][ids[place]]).item<double>());
    happened.push_back(suffix_loss(*model, pixels, contexts, *behavior, tokenizer.decode(swapped, true)) -
                       before);
  }
  EXPECT_GT(correlation(foretold, happened), .3);
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
  EXPECT_FALSE(model->swap_scores(model->preprocess(image), queries, targets, "not there").defined());
}

}  // namespace
}  // namespace hijack
