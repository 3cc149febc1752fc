#include <gtest/gtest.h>

#include "defenses/text/retokenize.h"
#include "defenses/text/safety_prompt.h"
#include "src/base/error.h"
#include "tests/support/fake_language_model.h"

namespace hijack::text_transforms_test {
namespace {

std::string rewritten(const TextTransform& defense, const std::string& prompt) {
  const std::vector<Query> queries = {{.prompt = prompt, .system = "S"}};
  return defense.rewrite(queries).at(0).query.prompt;
}

DefenseResources resources() {
  return {.scorer = std::make_shared<FakeLanguageModel>()};
}

TEST(Retokenize, BreaksOnlyInsideUsualTokens) {
  const Retokenize always({.dropout = 1}, resources());
  EXPECT_EQ(rewritten(always, "what color zz"), "w h a t c o l o r zz") << "zz is two tokens already";
  EXPECT_EQ(rewritten(Retokenize({.dropout = 0}, resources()), "what color zz"), "what color zz");
}

TEST(Retokenize, KeepsTheLettersAndTheCharacters) {
  const std::string prompt = "what color \xC3\xA9\xE2\x82\xAC dogs";
  for (uint64_t seed = 0; seed < 10; ++seed) {
    std::string after = rewritten(Retokenize({.dropout = 0.5, .seed = seed}, resources()), prompt);
    EXPECT_NE(after.find("\xC3\xA9\xE2\x82\xAC"), std::string::npos) << "no break inside a character";
    std::erase(after, ' ');
    std::string letters = prompt;
    std::erase(letters, ' ');
    EXPECT_EQ(after, letters);
  }
  EXPECT_EQ(rewritten(Retokenize({}, resources()), ""), "");
}

TEST(SafetyPrompt, StandsWhereItIsTold) {
  const std::vector<Query> queries = {{.prompt = "P", .system = "S"}, {.prompt = "P"}};
  const auto in_system = SafetyPrompt({.text = "R"}).rewrite(queries);
  EXPECT_EQ(in_system[0].query.system, "S\nR");
  EXPECT_EQ(in_system[1].query.system, "R");
  EXPECT_EQ(in_system[0].query.prompt, "P");
  EXPECT_EQ(rewritten(SafetyPrompt({.place = "before", .text = "R"}), "P"), "R\nP");
  EXPECT_EQ(rewritten(SafetyPrompt({.place = "after", .text = "R"}), "P"), "P\nR");
  EXPECT_THROW(SafetyPrompt({.place = "middle"}), Error);
  EXPECT_THROW(SafetyPrompt({.text = ""}), Error);
}

}  // namespace
}  // namespace hijack::text_transforms_test
