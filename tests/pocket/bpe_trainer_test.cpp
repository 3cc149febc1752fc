#include "src/pocket/bpe_trainer.h"

#include <gtest/gtest.h>

#include "models/tokenizer.h"
#include "src/base/pch.h"
#include "src/pocket/canary.h"
#include "src/pocket/grammar.h"

namespace hijack::bpe_trainer_test {
namespace {

const std::string& trained() {
  static const std::string json = train_pocket_tokenizer(1);
  return json;
}

std::shared_ptr<const Tokenizer> tokenizer() {
  return Tokenizer::from_json(trained(), "trained tokenizer");
}

TEST(BpeTrainer, EqualSeedsGiveEqualBytes) {
  EXPECT_EQ(trained(), train_pocket_tokenizer(1));
}

TEST(BpeTrainer, SpecialTokensComeFirstAndTheSizeIsExact) {
  const auto made = tokenizer();
  EXPECT_EQ(made->vocabulary_size(), kPocketVocabulary);
  EXPECT_EQ(made->token_to_id("<pad>"), kPadToken);
  EXPECT_EQ(made->token_to_id("<s>"), kBosToken);
  EXPECT_EQ(made->token_to_id("</s>"), kEosToken);
  EXPECT_EQ(made->token_to_id("<image>"), kImageToken);
  EXPECT_TRUE(made->is_special(kImageToken));
  EXPECT_EQ(made->encode("USER: <image>\nhi", true).front(), kBosToken);
  EXPECT_EQ(made->encode("USER:", false).size(), 2U);
}

TEST(BpeTrainer, WordsOfTheGrammarAreSingleTokens) {
  const auto made = tokenizer();
  for (const std::string& word : pocket_vocabulary()) {
    EXPECT_EQ(made->encode(word, false).size(), 1U) << word;
    EXPECT_EQ(made->encode(" " + word, false).size(), 1U) << word;
  }
  EXPECT_EQ(made->encode(" " + std::string(kStringCanary), false).size(), 9U);
  EXPECT_GE(made->encode(kForeignCanary, false).size(), 15U);
  EXPECT_EQ(made->encode(" 135", false).size(), 4U);  // digits stand alone
}

TEST(BpeTrainer, TextSurvivesButForItsWhiteSpace) {
  const auto made = tokenizer();
  Random random(1);
  for (int i = 0; i < 300; ++i) {
    const Exercise exercise = draw_exercise(nullptr, random, Wording::kHeldOut);
    EXPECT_EQ(made->decode(made->encode(exercise.answer, false), false), exercise.answer);
    if (exercise.prompt.empty()) continue;
    EXPECT_EQ(made->decode(made->encode(exercise.prompt, false), false), exercise.prompt);
  }
  EXPECT_EQ(
      made->decode(made->encode("\xc3\xa9t\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80  tab\there", false), false),
      "\xc3\xa9t\xc3\xa9 \xe6\xbc\xa2 \xf0\x9f\x98\x80 tab here");
}

}  // namespace
}  // namespace hijack::bpe_trainer_test
