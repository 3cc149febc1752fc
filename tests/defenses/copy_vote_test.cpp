// Mask and vote, randomized smoothing; what all defenses have in common is in all_defenses_test.cpp.
#include "defenses/votes/copy_vote.h"

#include <gtest/gtest.h>

#include "defenses/votes/smoothing.h"
#include "defenses/votes/smoothvlm.h"
#include "src/base/distributions.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/finite_difference.h"

namespace hijack::copy_vote_test {
namespace {

Tensor picture() {
  return quantize(Random(1).uniform_tensor({1, 3, 20, 26}, 0.3, 0.7));
}

Submission submission() {
  return {.image = picture(), .query = {.prompt = "what is it"}};
}

/// Gives the replies in turn, whatever it is asked.
Responder in_turn(std::vector<std::string> texts) {
  auto used = std::make_shared<size_t>(0);
  return [texts = std::move(texts), used](const std::vector<Submission>& submissions) {
    std::vector<Reply> replies;
    for (size_t i = 0; i < submissions.size(); ++i)
      replies.push_back({.text = texts.at((*used)++ % texts.size())});
    return replies;
  };
}

std::vector<Reply> replies(const std::vector<std::string>& texts) {
  std::vector<Reply> all;
  for (const std::string& text : texts) all.push_back({.text = text});
  return all;
}

TEST(Vote, NormalizesCaseSpaceAndPunctuation) {
  EXPECT_EQ(normalized_reply("  It's a RED  cat.\n"), "it s a red cat");
  EXPECT_EQ(normalized_reply("?!"), "");
  EXPECT_EQ(normalized_reply("\xC3\x89t\xC3\xA9 3"), "\xC3\x89t\xC3\xA9 3") << "beyond ASCII bytes stay";
}

TEST(Vote, MajorityAndTies) {
  const auto all = replies({"no", "A cat.", "a cat", "no idea", "a cat!"});
  const Majority best = majority(all);
  EXPECT_EQ(best.member, 1u);
  EXPECT_EQ(best.votes, 3);
  EXPECT_EQ(votes_for(all[2], all), 3);
  EXPECT_EQ(majority(replies({"z", "a"})).member, 0u) << "ties go to the first, not to the alphabet";
  EXPECT_EQ(majority(replies({"x"})).votes, 1);
}

TEST(Vote, ACutReplyIsNoWholeOne) {
  const std::vector<Reply> all = {
      {.text = "a cat"}, {.text = "A cat", .cut = true}, {.text = "a dog"}, {.text = "a cat.", .cut = true}};
  const Majority best = majority(all);
  EXPECT_EQ(best.member, 1u);
  EXPECT_EQ(best.votes, 2);
  EXPECT_EQ(votes_for(all[0], all), 1);
}

TEST(SmoothVlm, AnswersWithACutReplyAsCut) {
  const Responder next = [](const std::vector<Submission>& submissions) {
    return std::vector<Reply>(submissions.size(), {.text = "a cat and", .cut = true});
  };
  const Reply reply = SmoothVlm({.copies = 3}).answer({submission()}, next).at(0);
  EXPECT_EQ(reply.text, "a cat and");
  EXPECT_TRUE(reply.cut);
}

TEST(SmoothVlm, MasksTheShareOfPixelsInAllChannels) {
  Random random(2);
  const SmoothVlm defense({.share = 0.3});
  const Tensor white = at::ones({1, 3, 100, 100});
  const Tensor after = defense.changed(white, random);
  EXPECT_NEAR(after.mean().item<double>(), 0.7, 0.02);
  EXPECT_TRUE(at::equal(after.select(1, 0), after.select(1, 2)));
  Random again(3);
  EXPECT_TRUE(at::equal(SmoothVlm({.share = 0}).changed(picture(), again), picture()));
  const Tensor noisy = SmoothVlm({.share = 0.3, .fill = "noise"}).changed(white, again);
  EXPECT_NEAR(noisy.mean().item<double>(), 0.85, 0.02);
}

TEST(SmoothVlm, AnswersWithAMemberOfTheMajority) {
  const SmoothVlm defense({.copies = 5});
  const Reply reply =
      defense.answer({submission()}, in_turn({"hijacked", "A cat.", "a cat", "dog", "a cat"})).at(0);
  EXPECT_EQ(reply.text, "A cat.");
  EXPECT_EQ(reply.trace.at(0).note, "3 of 5 copies agree");
  EXPECT_FALSE(reply.rejected);
}

TEST(SmoothVlm, OneCopyIsItsReply) {
  const EchoResponder model;
  const Reply reply = SmoothVlm({.copies = 1}).answer({submission()}, model).at(0);
  EXPECT_EQ(model.seen->size(), 1u);
  EXPECT_EQ(reply.trace.at(0).note, "1 of 1 copies agree");
}

TEST(SmoothVlm, CopiesDifferAndManyAreAskedInParts) {
  const EchoResponder model;
  size_t largest = 0;
  const Responder watched = [&](const std::vector<Submission>& some) {
    largest = std::max(largest, some.size());
    return model(some);
  };
  SmoothVlm({.copies = 40}).answer({submission()}, watched);
  ASSERT_EQ(model.seen->size(), 40u);
  EXPECT_LE(largest, 16u);
  EXPECT_FALSE(at::equal(model.seen->at(0).image, model.seen->at(20).image));
}

TEST(SmoothVlm, TheSameSubmissionTwiceIsAskedOnce) {
  const EchoResponder model;
  const auto both = SmoothVlm({.copies = 3}).answer({submission(), submission()}, model);
  EXPECT_EQ(model.seen->size(), 3u);
  EXPECT_EQ(both[0].text, both[1].text);
}

TEST(Smoothing, CertifiesByTheBinomialBound) {
  const Smoothing defense({.sigma = 25.5, .copies = 20, .selection = 2});
  const Reply reply = defense.answer({submission()}, in_turn({"a cat"})).at(0);
  EXPECT_EQ(reply.text, "a cat");
  const double low = std::pow(0.05, 1.0 / 20);
  EXPECT_NEAR(certified_radius(0.1, low), 0.1 * normal_quantile(low), 1e-12);
  EXPECT_EQ(reply.trace.at(0).note,
            "20 of 20 copies agree, probability at least 0.861, certified l2 radius 0.108");
}

TEST(Smoothing, NoCertificateWithoutAMajorityOrWithOneCopy) {
  EXPECT_EQ(certified_radius(16, 0.5), 0);
  const Reply split =
      Smoothing({.copies = 10, .selection = 1}).answer({submission()}, in_turn({"a", "b"})).at(0);
  EXPECT_EQ(split.text, "a");
  EXPECT_NE(split.trace.at(0).note.find("5 of 10 copies agree"), std::string::npos);
  EXPECT_NE(split.trace[0].note.find("no certificate"), std::string::npos);
  const Reply one = Smoothing({.copies = 1, .selection = 1}).answer({submission()}, in_turn({"a"})).at(0);
  EXPECT_NE(one.trace.at(0).note.find("no certificate"), std::string::npos) << "one copy proves nothing";
}

TEST(Smoothing, TheChoiceIsNotCountedAmongTheVotes) {
  // The first copy says "a" and never again.
  const Reply reply = Smoothing({.copies = 4, .selection = 1})
                          .answer({submission()}, in_turn({"a", "b", "b", "b", "b"}))
                          .at(0);
  EXPECT_EQ(reply.text, "a");
  EXPECT_NE(reply.trace.at(0).note.find("0 of 4"), std::string::npos);
}

TEST(Smoothing, AbstainsWhenAskedTo) {
  const Smoothing defense({.copies = 10, .selection = 1, .abstain = true});
  ASSERT_EQ(defense.calibrations().size(), 1u);
  EXPECT_TRUE(Smoothing({}).calibrations().empty());
  const Reply unsure = defense.answer({submission()}, in_turn({"a", "b"})).at(0);
  EXPECT_TRUE(unsure.rejected);
  EXPECT_EQ(unsure.text, kRejectionText);
  EXPECT_TRUE(unsure.trace.at(0).rejected);
  EXPECT_GT(unsure.trace[0].score, unsure.trace[0].threshold);
  const Reply sure = defense.answer({submission()}, in_turn({"a"})).at(0);
  EXPECT_FALSE(sure.rejected);
  EXPECT_LT(sure.trace.at(0).score, 0.5);
}

TEST(Smoothing, NoiseHasItsDeviation) {
  Random random(3);
  const Tensor gray = at::full({1, 3, 64, 64}, 0.5);
  EXPECT_NEAR((Smoothing({.sigma = 16}).changed(gray, random) - gray).std().item<double>() * 255, 16, 0.7);
}

TEST(CopyVote, SurrogateGradientsAreExact) {
  const Tensor point = picture().to(at::kDouble);
  const Tensor weights = Random(9).normal_tensor(point.sizes()).to(at::kDouble);
  const SmoothVlm mask({.share = 0.4});
  const Smoothing smooth({.sigma = 8});
  for (const Defense* defense : std::initializer_list<const Defense*>{&mask, &smooth}) {
    const auto value = [&](const Tensor& image) {
      Random random(5);  // the same draw each time
      return (defense->surrogate(image, random).square() * weights).sum();
    };
    EXPECT_LT(worst_gradient_error(value, point), 1e-6) << defense->name();
  }
}

TEST(Smoothing, TooFewCopiesToCertifyAnythingAreRefused) {
  EXPECT_THROW(Smoothing({.copies = 4, .alpha = 0.05, .abstain = true}), Error);
  EXPECT_NO_THROW(Smoothing({.copies = 5, .alpha = 0.05, .abstain = true}));
  EXPECT_NO_THROW(Smoothing({.copies = 4, .alpha = 0.05}));
}

}  // namespace
}  // namespace hijack::copy_vote_test
