// Text-only decoders against transformers: tests/golden/text/make.py made the folders and the expectations.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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

TEST_P(LanguageModelGolden, TakesNoImages) {
  try {
    load_model(folder_);
    FAIL() << "loaded as a model with images";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("no images"), std::string::npos) << error.what();
  }
}

INSTANTIATE_TEST_SUITE_P(Folders, LanguageModelGolden,
                         testing::Values("llama", "qwen2", "qwen3", "gemma", "llama3", "mistral"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace hijack::language_model_golden_test
