// Ids and decoded texts equal to those of the `tokenizers` package (tests/golden/tokenizer/make.py).
#include <gtest/gtest.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "models/tokenizer.h"
#include "src/base/file.h"
#include "src/base/text.h"

namespace hijack::tokenizer_golden_test {
namespace {

using nlohmann::json;

const std::filesystem::path kFolder = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/tokenizer";

json read_json(const std::filesystem::path& file) {
  return json::parse(read_file(file));
}

std::string joined(const TokenIds& ids) {
  std::string text;
  for (const TokenId id : ids) text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

std::string hash_of(std::string_view data) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(fnv1a(data)));
  return text;
}

class TokenizerGolden : public testing::TestWithParam<const char*> {};

TEST_P(TokenizerGolden, EqualsThePackage) {
  const std::string name = GetParam();
  const auto tokenizer = Tokenizer::from_file(kFolder / (name + ".json"));
  const json texts = read_json(kFolder / "strings.json");
  const json expected = read_json(kFolder / "expected" / (name + ".json"));
  ASSERT_GE(texts.size(), 300U);
  ASSERT_EQ(texts.size(), expected["hashes"].size());
  ASSERT_EQ(expected["full"].size(), 50U);
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto text = texts[i].get<std::string>();
    SCOPED_TRACE(texts[i].dump());
    const TokenIds ids = tokenizer->encode(text, true), plain = tokenizer->encode(text, false);
    const std::string decoded = tokenizer->decode(ids, false), skipped = tokenizer->decode(ids, true);
    if (const std::string key = std::to_string(i); expected["full"].contains(key)) {
      const json& full = expected["full"][key];
      EXPECT_EQ(ids, full[0].get<TokenIds>());
      EXPECT_EQ(plain, full[1].get<TokenIds>());
      EXPECT_EQ(decoded, full[2].get<std::string>());
      EXPECT_EQ(skipped, full[3].get<std::string>());
    }
    EXPECT_EQ(hash_of(joined(ids) + "\x1e" + joined(plain) + "\x1e" + decoded + "\x1e" + skipped),
              expected["hashes"][i].get<std::string>());
  }
}

INSTANTIATE_TEST_SUITE_P(Families, TokenizerGolden,
                         testing::Values("llama2", "llama3", "qwen2", "smollm2", "gemma", "gpt2",
                                         "metaspace_first", "metaspace_always", "metaspace_never",
                                         "unknown_words", "odd_splits", "bert", "bert_cased", "unigram_t5",
                                         "unigram_siglip", "unigram_bytes"),
                         [](const auto& family) { return std::string(family.param); });

}  // namespace
}  // namespace hijack::tokenizer_golden_test
