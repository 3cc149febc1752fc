// The judge, and the caption fallback: detectors that look at replies.
#include <gtest/gtest.h>

#include "defenses/detectors/ecso.h"
#include "defenses/detectors/judge.h"
#include "src/base/error.h"
#include "src/base/text.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/toy_model.h"

namespace hijack::reply_detectors_test {
namespace {

const ToyModel& toy() {
  static const ToyModel model;
  return model;
}

Responder saying(std::string text) {
  return [text = std::move(text)](const std::vector<Submission>& submissions) {
    return std::vector<Reply>(submissions.size(), {.text = text});
  };
}

DefenseResources resources(Responder respond = {}) {
  DefenseResources all;
  all.model = std::make_shared<ToyModel>();
  all.respond = std::move(respond);
  const auto contexts = toy_contexts(20);
  for (uint64_t i = 0; i < 20; ++i) all.benign.push_back({toy_image(i + 5), contexts[i]});
  return all;
}

Submission submission(uint64_t image = 3) {
  return {.image = toy_image(image), .query = {.prompt = "what color is the cat"}};
}

/// Mean loss of `reply` without the image, by the model's own interface.
double loss_without_image(const std::string& reply, const Query& query) {
  const TokenIds ids = toy().target_ids(reply);
  const Pixels gray = toy().preprocess(at::full({1, 3, 16, 16}, 128.0 / 255));
  const std::vector<Query> queries = {query};
  const std::vector<TokenIds> targets = {ids};
  const Tensor logits = toy().target_logits(gray, queries, targets)[0];
  return at::cross_entropy_loss(logits, at::tensor(ids, at::kLong)).item<double>();
}

double score_of(const ReplyScorer::Parameters& parameters, const std::string& reply,
                const Submission& asked = submission()) {
  return ReplyScorer(parameters, resources(), "judge").scores({asked}, {reply}).at(0);
}

TEST(ReplyScore, IsTheMeanLossWithoutTheImage) {
  EXPECT_NEAR(score_of({}, "red cat"), loss_without_image("red cat", submission().query), 1e-5);
  EXPECT_EQ(score_of({}, "red cat"), score_of({}, "red cat", submission(4))) << "it does not see the image";
  EXPECT_EQ(score_of({}, ""), 0);
}

TEST(ReplyScore, LooksAtTheFirstTokensOnly) {
  EXPECT_NEAR(score_of({.tokens = 2}, "red cat two please"), score_of({}, "red cat"), 1e-6);
  EXPECT_NO_THROW(score_of({.tokens = 4}, "one one one one one one one one one one one one one one one"));
}

TEST(ReplyScore, ADenoisedReferenceKeepsTheImage) {
  const ReplyScorer::Parameters blur{.reference = "blur"};
  EXPECT_NE(score_of(blur, "red cat"), score_of(blur, "red cat", submission(4)));
}

TEST(ReplyScore, BatchesGiveWhatSinglesGive) {
  for (const char* reference : {"gray", "median"}) {
    const ReplyScorer scorer({.reference = reference}, resources(), "judge");
    const std::vector<Submission> many = {submission(3), submission(4), submission(3)};
    const std::vector<std::string> replies = {"red cat", "", "two dog is"};
    const std::vector<double> together = scorer.scores(many, replies);
    for (size_t i = 0; i < many.size(); ++i)
      EXPECT_NEAR(together[i], scorer.scores({many[i]}, {replies[i]}).at(0), 1e-5) << reference << i;
  }
}

TEST(ReplyScore, TheQuestionGivesTheProbabilityOfNo) {
  const ReplyScorer::Parameters asked{.by = "question", .question = "{prompt} {reply} yes or no"};
  const double score = score_of(asked, "red cat");
  const Query question{.prompt = "what color is the cat red cat yes or no"};
  const double yes = loss_without_image("yes", question), no = loss_without_image("no", question);
  EXPECT_NEAR(score, std::exp(-no) / (std::exp(-no) + std::exp(-yes)), 1e-5);
}

/// A judge of its own: a text decoder, whose answers are known.
DefenseResources with_own(std::shared_ptr<const FakeTextModel> decoder) {
  DefenseResources all = resources(saying("it is red"));
  all.load = [decoder](const std::string& folder) {
    EXPECT_EQ(folder, "/models/guard/");
    return decoder;
  };
  return all;
}

TEST(ReplyScore, AModelOfItsOwnJudgesTheTextAlone) {
  const auto decoder = std::make_shared<FakeTextModel>();
  const ReplyScorer::Parameters lossy{.own = {"/models/guard/"}};
  EXPECT_NEAR(ReplyScorer(lossy, with_own(decoder), "judge").scores({submission()}, {"what color"}).at(0), 2,
              1e-4);
  EXPECT_EQ(decoder->asked.at(0).prompt, "what color is the cat");
  const ReplyScorer::Parameters asks{.by = "question",
                                     .question = "{prompt}/{reply}",
                                     .accept = "no",
                                     .reject = "yes",
                                     .own = {"/models/guard/"}};
  const double score = ReplyScorer(asks, with_own(decoder), "judge").scores({submission()}, {"red"}).at(0);
  // "yes": three bytes of 1 nat; "no": two of 2
  EXPECT_NEAR(score, 1 / (1 + std::exp(3.0 - 4)), 1e-3);
  EXPECT_EQ(decoder->asked.back().prompt, "what color is the cat/red");
}

TEST(ReplyScore, ATextDecoderCannotBeShownAReference) {
  const ReplyScorer::Parameters blurred{.reference = "blur", .own = {"/models/guard/"}};
  const auto make = [&] { ReplyScorer(blurred, with_own(std::make_shared<FakeTextModel>()), "judge"); };
  EXPECT_THROW(make(), Error);
  EXPECT_THROW(ReplyScorer({.accept = "yes", .reject = "yes"}, resources(), "judge"), Error);
  EXPECT_THROW(ReplyScorer({.own = {"/models/guard/"}}, resources(), "judge"), Error) << "nothing loads it";
}

TEST(Judge, IsNamedAfterItsModelAndNotAfterItsFolder) {
  const Judge defense({.score = {.own = {"/models/guard/"}}, .limit = {.threshold = 3}},
                      with_own(std::make_shared<FakeTextModel>()));
  EXPECT_EQ(defense.name(), "judge:by=loss,model=guard,threshold=3");
}

TEST(FilledPattern, DoesNotSearchWhatItPutIn) {
  EXPECT_EQ(filled_pattern("{a} and {b}, {a}", {{"{a}", "{b}"}, {"{b}", "x"}}), "{b} and x, {b}");
  EXPECT_EQ(filled_pattern("", {{"{a}", "x"}}), "");
  EXPECT_EQ(filled_pattern("{", {{"{a}", "x"}}), "{");
}

TEST(Judge, RejectsRepliesAboveTheThreshold) {
  const double loss = score_of({}, "I was hijacked");
  const Judge strict({.limit = {.threshold = loss - 0.1}}, resources());
  const Reply caught = strict.answer({submission()}, saying("I was hijacked")).at(0);
  EXPECT_TRUE(caught.rejected);
  EXPECT_EQ(caught.text, kRejectionText);
  EXPECT_NEAR(caught.trace.at(0).score, loss, 1e-5);
  EXPECT_TRUE(caught.trace[0].rejected);
  const Judge loose({.limit = {.threshold = loss + 0.1}}, resources());
  const Reply fine = loose.answer({submission()}, saying("I was hijacked")).at(0);
  EXPECT_FALSE(fine.rejected);
  EXPECT_EQ(fine.text, "I was hijacked");
  EXPECT_NEAR(fine.trace.at(0).score, loss, 1e-5) << "scores of what passes are reported too";
}

TEST(Judge, IsFittedOnTheBareModelsReplies) {
  const Judge defense({}, resources(saying("it is red")));
  double worst = 0;
  for (const Submission& benign : resources().benign)
    worst = std::max(worst, score_of({}, "it is red", benign));
  EXPECT_NEAR(defense.threshold(), worst, 1e-5);  // batches round otherwise
  EXPECT_EQ(defense.calibrations().at(0).n, 20);
}

TEST(Judge, LeavesEarlierRejectionsAlone) {
  const Judge defense({.limit = {.threshold = 0.001}}, resources());
  const Responder rejects = [](const std::vector<Submission>& some) {
    return std::vector<Reply>(some.size(), {.text = "no", .rejected = true});
  };
  const Reply reply = defense.answer({submission()}, rejects).at(0);
  EXPECT_EQ(reply.text, "no");
  EXPECT_FALSE(reply.trace.at(0).rejected);
}

TEST(Judge, SaysWhatIsMissing) {
  EXPECT_THROW(Judge({.limit = {.threshold = 1}}, {}), Error) << "no model";
  EXPECT_THROW(Judge({}, resources()), Error) << "nobody to ask for benign replies";
  DefenseResources few = resources(saying("it is red"));
  few.benign.resize(19);
  EXPECT_THROW(Judge({}, few), Error);
}

TEST(Ecso, AnswersFromADescriptionWhenFlagged) {
  const Ecso defense(
      {.limit = {.threshold = 0.001}, .describe = "describe", .answer = "{caption} / {prompt}"}, resources());
  const EchoResponder model;
  const Reply reply = defense.answer({submission()}, model).at(0);
  ASSERT_EQ(model.seen->size(), 3u);
  EXPECT_TRUE(model.seen->at(0).image.defined());
  EXPECT_EQ(model.seen->at(1).query.prompt, "describe");
  EXPECT_TRUE(model.seen->at(1).image.defined());
  EXPECT_FALSE(model.seen->at(2).image.defined()) << "the image is dropped";
  const std::string caption = EchoResponder()({{submission().image, {.prompt = "describe"}}})[0].text;
  EXPECT_EQ(model.seen->at(2).query.prompt, caption + " / what color is the cat");
  EXPECT_EQ(reply.text, "|" + caption + " / what color is the cat|");
  EXPECT_FALSE(reply.rejected);
  EXPECT_FALSE(reply.trace.at(0).rejected);
  EXPECT_GT(reply.trace[0].score, 0.001);
  EXPECT_NE(reply.trace[0].note.find(caption), std::string::npos);
}

TEST(Ecso, KeepsTheReplyOtherwise) {
  const Ecso defense({.limit = {.threshold = 1000}}, resources());
  const EchoResponder model;
  const auto replies = defense.answer({submission(), {.image = {}, .query = {.prompt = "hi"}}}, model);
  EXPECT_EQ(model.seen->size(), 2u);
  EXPECT_EQ(replies[1].text, "|hi|");
  EXPECT_EQ(replies[0].trace.at(0).threshold, 1000);
}

}  // namespace
}  // namespace hijack::reply_detectors_test
