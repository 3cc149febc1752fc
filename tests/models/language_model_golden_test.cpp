// Text-only decoders against transformers: tests/golden/text/make.py made the folders and the expectations.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/embedding_access.h"
#include "models/load_model.h"
#include "src/base/error.h"
#include "src/base/file.h"

namespace hijack::language_model_golden_test {
namespace {

class LanguageModelGolden : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder_ = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/text" / GetParam();
  std::shared_ptr<const LanguageModel> model_ = load_language_model(folder_, {.dtype = "float32"});
  nlohmann::json cases_ = nlohmann::json::parse(read_file(folder_ / "expected.json")).at("cases");
};

TEST_P(LanguageModelGolden, ScoresOfTheUsersText) {
  for (const auto& one : cases_) {
    const std::string text = one.at("text");
    const Tensor actual = model_->prompt_nll(text);
    const Tensor expected = at::tensor(one.at("nll").get<std::vector<float>>());
    ASSERT_EQ(actual.sizes(), expected.sizes()) << text;
    if (expected.numel() == 0) continue;
    EXPECT_LE((actual - expected).abs().max().item<double>(), 1e-4) << text;
  }
}

TEST_P(LanguageModelGolden, Replies) {
  std::vector<Query> queries;
  for (const auto& one : cases_) queries.push_back({.prompt = one.at("text")});
  const auto replies = model_->generate(queries, {.max_new_tokens = 12});
  for (size_t i = 0; i < queries.size(); ++i)
    EXPECT_EQ(replies.at(i).text, cases_[i].at("reply")) << queries[i].prompt;
}

/// Of different lengths, past the windows, without a common beginning, and one twice.
std::vector<std::string> many_texts() {
  return {"What is in this picture?",
          "a",
          "Say it again:  the cat, 12 or 13, and then the dog in the picture once more.",
          "the",
          "Say it once",
          "cat in the mat, cat in the mat, cat in the mat, cat in the mat, cat in the mat",
          "What is in this picture?",
          "12"};
}

TEST_P(LanguageModelGolden, ManyPromptsTogetherAreThatOfEachAlone) {
  std::vector<Query> queries;
  for (const std::string& text : many_texts()) queries.push_back({.prompt = text});
  queries[3].earlier = {{"What is this?", "the cat"}};
  for (const double temperature : {0.0, 1.0}) {
    GenerateOptions options{.max_new_tokens = 24, .temperature = temperature, .top_p = 0.9, .top_k = 50};
    for (uint64_t seed = 0; seed < queries.size(); ++seed) options.seeds.push_back(seed * 31);
    const auto together = model_->generate(queries, options);
    ASSERT_EQ(together.size(), queries.size());
    std::set<std::string> different;
    for (size_t i = 0; i < queries.size(); ++i) {
      EXPECT_EQ(together[i], model_->generate({&queries[i], 1}, part_of(options, i, 1)).at(0))
          << queries[i].prompt << " at temperature " << temperature;
      different.insert(together[i].text);
    }
    EXPECT_GT(different.size(), 2u);
  }
}

TEST_P(LanguageModelGolden, ScoresOfManyTextsTogetherAreThoseOfEachAlone) {
  const auto texts = many_texts();
  const auto together = model_->prompt_nlls(texts);
  ASSERT_EQ(together.size(), texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    const Tensor alone = model_->prompt_nll(texts[i]);
    ASSERT_EQ(together[i].sizes(), alone.sizes()) << texts[i];
    if (alone.numel() == 0) continue;
    EXPECT_LE((together[i] - alone).abs().max().item<double>(), 2e-5 * alone.abs().max().item<double>())
        << texts[i];
  }
  EXPECT_TRUE(model_->prompt_nlls({}).empty());
}

TEST_P(LanguageModelGolden, IsAskedAsModelsWithImagesAre) {
  const auto asked = load_model(folder_, {.dtype = "float32"});
  EXPECT_FALSE(asked->takes_images());
  EXPECT_FALSE(takes_images(folder_));
  const Pixels none = asked->preprocess({});
  std::vector<Query> queries;
  for (const auto& one : cases_) queries.push_back({.prompt = one.at("text")});
  const auto replies = asked->generate(none, queries, {.max_new_tokens = 12});
  for (size_t i = 0; i < queries.size(); ++i) {
    EXPECT_EQ(replies.at(i).text, cases_[i].at("reply")) << queries[i].prompt;
    const TokenIds target = asked->target_ids(" x");
    const Tensor logits = asked->target_logits(none, {&queries[i], 1}, {&target, 1}).front();
    EXPECT_EQ(logits.size(0), static_cast<int64_t>(target.size()));
  }
  EXPECT_NE(asked->embeddings(), nullptr);
  EXPECT_EQ(asked->states(), nullptr);
}

TEST_P(LanguageModelGolden, TakesNoImages) {
  const auto asked = load_model(folder_, {.dtype = "float32"});
  for (const auto& hand_over :
       {std::function<void(const Tensor&)>([&](const Tensor& x) { asked->preprocess(x); }),
        std::function<void(const Tensor&)>([&](const Tensor& x) { asked->to_input_space(x); })})
    try {
      hand_over(at::zeros({1, 3, 4, 4}));
      FAIL() << "took an image";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("takes no images"), std::string::npos) << error.what();
    }
}

/// swap_scores is the gradient of the loss through one-hot tokens: the exchange of a token changes the loss,
/// to first order, by its difference.
TEST_P(LanguageModelGolden, SuffixTokensAreFoundAndRanked) {
  const auto asked = load_model(folder_, {.dtype = "float32"});
  const PromptEmbeddings& embeddings = *asked->embeddings();
  const std::string suffix = "cat in";
  const std::vector<Query> queries = {{.prompt = "What is " + suffix}, {.prompt = "Say the " + suffix}};
  const auto place = embeddings.in_place(queries[0], suffix);
  ASSERT_TRUE(place);
  const TokenIds target = asked->target_ids("a cat");
  const std::vector<TokenIds> targets = {target, target};
  const Tensor scores = embeddings.swap_scores(asked->preprocess({}), queries, targets, suffix, {});
  ASSERT_TRUE(scores.defined());
  EXPECT_EQ(scores.size(0), static_cast<int64_t>(place->ids.size()));
  EXPECT_GT(scores.abs().max().item<double>(), 0);
}

INSTANTIATE_TEST_SUITE_P(Folders, LanguageModelGolden,
                         testing::Values("llama", "qwen2", "qwen3", "gemma", "llama3", "mistral", "gemma2",
                                         "gemma3", "gemma3_list", "qwen2_sliding", "phi3"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace hijack::language_model_golden_test
