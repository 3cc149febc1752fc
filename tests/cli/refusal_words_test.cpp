// The built program counts a refusal's prefix in whole words only. The tiny checkpoint says what it says: the
// targets are parts of that.
#include "src/experiment/record/results.h"
#include "tests/support/program.h"

namespace hijack::refusal_words_test {
namespace {

using namespace support;

class RefusalWords : public Program {
 protected:
  /// A run whose image hardly differs from the photo, evaluated behind a defense that hardly changes it.
  RunRecord judged(const std::string& target, const std::string& name) {
    const Outcome attacked = run("attack --image " + kPhoto + " --contexts " + at("contexts.jsonl") +
                                 " --behavior refusal --target '" + target + "' --steps 1 --epsilon 0/255" +
                                 " --max-new-tokens 24 --threads 1 --out " + at(name));
    EXPECT_EQ(attacked.code, 0) << attacked.err;
    const Outcome evaluated =
        run("evaluate " + at(name) +
            " --defense bit_depth:bits=7 --utility 0 --suffix-steps 0 --suffix-tokens 1");
    EXPECT_EQ(evaluated.code, 0) << evaluated.err;
    return read_run(at(name));
  }
};

TEST_F(RefusalWords, ALongerWordIsNoSuccess) {
  const RunRecord first = judged("abc", "first");
  const auto test = std::find_if(first.replies.begin(), first.replies.end(), [](const ReplyRow& row) {
    return row.condition == "attack" && row.split == "test";
  });
  ASSERT_NE(test, first.replies.end());
  const std::string word = test->reply.substr(0, test->reply.find(' '));
  ASSERT_GT(word.size(), 3u) << test->reply;
  ASSERT_LT(word.size(), test->reply.size()) << "the reply goes on behind its first word: " << test->reply;

  const std::string part = word.substr(0, 3);
  const RunRecord parts = judged(part, "part"), whole = judged(word, "whole");
  EXPECT_EQ(parts.replies.size(), whole.replies.size());
  const auto begins = [&](const RunRecord& run, const std::string& with, const std::string& defense) {
    return std::count_if(run.replies.begin(), run.replies.end(), [&](const ReplyRow& row) {
      return row.reply.starts_with(with) && row.defense == defense && row.condition != "text_suffix";
    });
  };
  for (const char* defense : {"none", "bit_depth:bits=7"}) {
    EXPECT_GE(begins(parts, part, defense), 2) << defense;
    EXPECT_GE(begins(whole, word + " ", defense), 2) << defense;
  }
  for (const ReplyRow& row : parts.replies) {
    if (!row.reply.starts_with(word + " ")) continue;
    EXPECT_FALSE(row.exact) << row.condition << ": " << row.reply;
    EXPECT_FALSE(row.substring) << row.condition << ": " << row.reply;
  }
  for (const ReplyRow& row : whole.replies) {
    if (!row.reply.starts_with(word + " ")) continue;
    EXPECT_TRUE(row.exact) << row.condition << ": " << row.reply;
    EXPECT_TRUE(row.substring) << row.condition << ": " << row.reply;
  }
  EXPECT_EQ(parts.trials.at(0).success.at("test").exact, 0);
  EXPECT_GE(whole.trials.at(0).success.at("test").exact, 1);
}

}  // namespace
}  // namespace hijack::refusal_words_test
