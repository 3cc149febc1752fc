#include "defenses/text/paraphrase.h"

#include <gtest/gtest.h>

#include "src/base/error.h"
#include "tests/support/fake_language_model.h"

namespace hijack::paraphrase_test {
namespace {

struct ParaphraseTest : ::testing::Test {
  std::shared_ptr<FakeLanguageModel> model = std::make_shared<FakeLanguageModel>();
  DefenseResources resources{.scorer = nullptr, .paraphraser = model};
};

TEST_F(ParaphraseTest, AsksWithThePatternAndPassesTheAnswerOn) {
  const Paraphrase defense({.temperature = 0, .pattern = "Say again: {prompt}!"}, resources);
  const EchoResponder target;
  const std::vector<Reply> replies =
      defense.answer({{.image = {}, .query = {.prompt = "hello", .system = "be kind"}}}, target);
  EXPECT_EQ(model->asked.at(0).prompt, "Say again: hello!");
  EXPECT_EQ(model->asked.at(0).system, "") << "the paraphraser sees the prompt alone";
  EXPECT_EQ(target.seen->at(0).query.prompt, "again(0) Say again: hello!");
  EXPECT_EQ(target.seen->at(0).query.system, "be kind");
  EXPECT_EQ(replies.at(0).trace.at(0).note, "again(0) Say again: hello!");
}

TEST_F(ParaphraseTest, UsesItsParametersAndSamplesByPrompt) {
  const Paraphrase defense({.temperature = 0.7, .max_tokens = 33, .seed = 5}, resources);
  const std::vector<Query> queries = {{.prompt = "one"}, {.prompt = "two"}};
  const auto both = defense.rewrite(queries);
  ASSERT_EQ(model->options_seen.size(), 1u) << "both are asked for together";
  EXPECT_EQ(model->options_seen[0].max_new_tokens, 33);
  EXPECT_DOUBLE_EQ(model->options_seen[0].temperature, 0.7);
  const std::vector<uint64_t> seeds = model->options_seen[0].seeds;
  ASSERT_EQ(seeds.size(), 2u);
  EXPECT_NE(seeds[0], seeds[1]);
  const std::vector<Query> reversed = {queries[1], queries[0]};
  EXPECT_EQ(defense.rewrite(reversed).at(1).note, both.at(0).note);
  EXPECT_NE(Paraphrase({.seed = 6}, resources).rewrite(queries).at(0).note, both.at(0).note);
}

TEST_F(ParaphraseTest, AsksForManyTogetherAsIfEachWereAlone) {
  const Paraphrase defense({.seed = 5}, resources);
  std::vector<Query> queries;
  for (size_t i = 0; i < kRepliesAtOnce + 2; ++i) queries.push_back({.prompt = "p" + std::to_string(i)});
  const auto together = defense.rewrite(queries);
  ASSERT_EQ(model->options_seen.size(), 2u) << "no more than kRepliesAtOnce";
  ASSERT_EQ(model->asked.size(), queries.size());
  defense.rewrite(queries);
  ASSERT_EQ(model->asked.size(), queries.size()) << "what has been said is remembered";
  const std::vector<GenerateOptions> seen = model->options_seen;
  for (size_t i = 0; i < queries.size(); ++i) {
    const Paraphrase alone({.seed = 5}, resources);
    EXPECT_EQ(alone.rewrite({&queries[i], 1}).at(0).note, together[i].note);
    // the stream of a request that is asked for alone, with a seed of its content
    const uint64_t seed = Random(5).fork("paraphrase", content_key(model->asked[i])).bits();
    EXPECT_EQ(seen[i / kRepliesAtOnce].seeds.at(i % kRepliesAtOnce), Random(seed).fork_seed("reply"));
  }
}

TEST_F(ParaphraseTest, SaysThatARestatementWasCut) {
  const Paraphrase defense({.max_tokens = 7}, resources);
  const std::vector<Query> queries = {{.prompt = "an endless tale"}, {.prompt = "one"}};
  const auto done = defense.rewrite(queries);
  EXPECT_NE(done.at(0).note.find("cut at max_tokens=7"), std::string::npos) << done.at(0).note;
  EXPECT_EQ(done.at(0).query.prompt.find("cut"), std::string::npos);
  EXPECT_EQ(done.at(1).note.find("cut"), std::string::npos);
}

TEST_F(ParaphraseTest, EmptyAnswerKeepsTheOriginal) {
  const Paraphrase defense({}, resources);
  const std::vector<Query> queries = {{.prompt = "silence please"}};
  const auto done = defense.rewrite(queries);
  EXPECT_EQ(done.at(0).query.prompt, "silence please");
  EXPECT_NE(done.at(0).note.find("original prompt was kept"), std::string::npos);
}

TEST_F(ParaphraseTest, RefusesNoModelAndPatternWithoutPlace) {
  EXPECT_THROW(Paraphrase({}, DefenseResources{}), Error);
  EXPECT_THROW(Paraphrase({.pattern = "Paraphrase."}, resources), Error);
}

}  // namespace
}  // namespace hijack::paraphrase_test
