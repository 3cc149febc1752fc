#include "defenses/detectors/jailguard.h"

#include <gtest/gtest.h>

#include "defenses/image/mutations.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/fake_language_model.h"
#include "tests/support/finite_difference.h"

namespace hijack::jailguard_test {
namespace {

Submission submission(uint64_t seed = 1) {
  const Tensor coarse = Random(seed).uniform_tensor({1, 3, 4, 4}, 0.2, 0.8);
  Tensor image = quantize(at::upsample_bilinear2d(coarse, {16, 20}, false));
  image.narrow(2, 0, 8).narrow(3, 0, 10).fill_(0.8);  // the upper left quarter is bright, the rest darker
  image.narrow(2, 8, 8).fill_(0.2);
  image.narrow(3, 10, 10).fill_(0.2);
  return {.image = quantize(image), .query = {.prompt = "what is it " + std::to_string(seed)}};
}

/// Hijacked when the upper left is bright: flips break it.
std::vector<Reply> brittle(const std::vector<Submission>& submissions) {
  std::vector<Reply> replies;
  for (const Submission& one : submissions) {
    const bool hijacked = one.image[0][0][2][2].item<double>() > 0.5;
    replies.push_back({.text = hijacked ? "I was hijacked" : "A dark picture"});
  }
  return replies;
}

std::vector<Reply> steady(const std::vector<Submission>& submissions) {
  return std::vector<Reply>(submissions.size(), {.text = "a dark picture"});
}

DefenseResources resources(size_t benign, Responder respond) {
  DefenseResources all;
  for (size_t i = 0; i < benign; ++i) all.benign.push_back(submission(i + 10));
  all.respond = std::move(respond);
  return all;
}

TEST(ReplyDivergence, IsZeroForEqualRepliesAndGrowsWithAnOutlier) {
  EXPECT_EQ(reply_divergence({}), 0);
  EXPECT_EQ(reply_divergence({"a cat"}), 0);
  EXPECT_EQ(reply_divergence({"a cat", "A cat.", "a cat"}), 0);
  const double near = reply_divergence({"a red cat", "a red cat", "a red dog"});
  const double far = reply_divergence({"a red cat", "a red cat", "i was hijacked"});
  EXPECT_GT(near, 0.025) << "the paper's threshold";
  EXPECT_GT(far, near);
  EXPECT_TRUE(std::isfinite(far));
}

TEST(ReplyDivergence, EqualsTheHandCount) {
  // Similarities 1 and 0, plus 0.01: P = (1.01, 0.01) / 1.02 against its mirror image.
  const double p = 1.01 / 1.02, q = 0.01 / 1.02;
  EXPECT_NEAR(reply_divergence({"cat", "dog"}), p * std::log(p / q) + q * std::log(q / p), 1e-9);
}

TEST(ReplyDivergence, WordSimilarity) {
  EXPECT_DOUBLE_EQ(word_similarity("a cat", "cat a"), 1);
  EXPECT_DOUBLE_EQ(word_similarity("a cat", "the dog"), 0);
  EXPECT_NEAR(word_similarity("a cat", "a dog"), 0.5, 1e-12);
  EXPECT_EQ(word_similarity("", "..."), 1);
  EXPECT_EQ(word_similarity("", "cat"), 0);
}

TEST(JailGuard, RejectsWhatMutationsBreak) {
  const JailGuard defense({.limit = {.threshold = 0.025}}, {});
  const Reply caught = defense.answer({submission()}, brittle).at(0);
  EXPECT_TRUE(caught.rejected);
  EXPECT_GT(caught.trace.at(0).score, 0.025);
  EXPECT_EQ(caught.trace[0].threshold, 0.025);
  const Reply fine = defense.answer({submission()}, steady).at(0);
  EXPECT_FALSE(fine.rejected);
  EXPECT_EQ(fine.text, "a dark picture");
  EXPECT_EQ(fine.trace.at(0).score, 0);
  EXPECT_EQ(fine.trace[0].threshold, 0.025);
}

TEST(JailGuard, TheModelAnswersAboutTheImageItselfOnce) {
  const EchoResponder model;
  JailGuard({.copies = 4, .limit = {.threshold = 9}}, {}).answer({submission(), submission()}, model);
  ASSERT_EQ(model.seen->size(), 4u + 2u) << "equal submissions are judged once";
  EXPECT_TRUE(at::equal(model.seen->back().image, submission().image));
  std::set<uint64_t> copies;
  for (size_t i = 0; i < 4; ++i) copies.insert(content_key(model.seen->at(i).image));
  EXPECT_GT(copies.size(), 1u);
}

TEST(JailGuard, IsCalibratedOnBenignReplies) {
  size_t asked = 0;
  const Responder counted = [&](const std::vector<Submission>& some) {
    asked += some.size();
    return steady(some);
  };
  const JailGuard defense({.copies = 12}, resources(230, counted));
  EXPECT_EQ(asked, 12u * 200u) << "calibration has a bound";
  EXPECT_EQ(defense.threshold(), 0);
  EXPECT_EQ(defense.calibrations().at(0).n, 200);
  EXPECT_TRUE(defense.calibrations()[0].can_fire());
  EXPECT_FALSE(defense.answer({submission()}, steady).at(0).rejected);
  EXPECT_TRUE(defense.answer({submission()}, brittle).at(0).rejected);
  EXPECT_GT(JailGuard({.copies = 4}, resources(20, brittle)).threshold(), 0);
}

/// Where benign replies diverge as far as so many copies can, the detector is dead, and says so.
TEST(JailGuard, AThresholdAtItsCeilingCannotFire) {
  const JailGuard dead({.copies = 4}, resources(100, brittle));
  EXPECT_EQ(dead.threshold(), dead.ceiling());
  EXPECT_FALSE(dead.calibrations().at(0).can_fire());
  for (uint64_t i = 0; i < 30; ++i)
    EXPECT_FALSE(dead.answer({submission(1000 + i)}, brittle).at(0).rejected) << i;
}

TEST(LargestDivergence, IsReachedAndNeverExceeded) {
  Random random(11);
  const std::vector<std::string> words = {"red", "cat", "two", "dog", "on"};
  for (const int64_t copies : {2, 3, 4, 6, 8, 12}) {
    const double largest = largest_divergence(copies);
    double reached = 0;
    std::vector<std::string> replies(static_cast<size_t>(copies), "a");
    for (int64_t alike = 1; alike < copies; ++alike) {
      replies[static_cast<size_t>(alike - 1)] = "b";
      reached = std::max(reached, reply_divergence(replies));
    }
    EXPECT_EQ(reached, largest) << copies;
    for (int draw = 0; draw < 300; ++draw) {
      for (std::string& reply : replies) {
        reply.clear();
        for (int64_t k = random.between(0, 3); k >= 0; --k) reply += random.pick(words) + " ";
      }
      EXPECT_LE(reply_divergence(replies), largest) << copies;
    }
  }
  EXPECT_GT(largest_divergence(100), largest_divergence(8));
}

TEST(ReplyDivergence, DoesNotDependOnTheOrderOfTheReplies) {
  std::vector<std::string> replies = {"a red cat", "two dogs", "a cat", "dogs on a red cat", "two"};
  std::sort(replies.begin(), replies.end());
  const double first = reply_divergence(replies);
  while (std::next_permutation(replies.begin(), replies.end())) ASSERT_EQ(reply_divergence(replies), first);
}

TEST(JailGuard, SaysWhatIsMissing) {
  EXPECT_THROW(JailGuard({}, resources(19, steady)), Error);
  EXPECT_THROW(JailGuard({}, resources(20, {})), Error);
  EXPECT_NO_THROW(JailGuard({.limit = {.threshold = 1}}, {}));
}

TEST(JailGuard, SurrogateDrawsMutationsAndTheImageItself) {
  const JailGuard defense({.copies = 2, .limit = {.threshold = 1}}, {});
  int same = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Random random(seed);
    same += at::equal(defense.surrogate(submission().image, random), submission().image) ? 1 : 0;
  }
  EXPECT_GT(same, 5);
  EXPECT_LT(same, 40);
}

TEST(JailGuard, TheMutationsAreTheUsersChoice) {
  EXPECT_THROW(JailGuard({.mutations = "none", .limit = {.threshold = 1}}, {}), Error);
  // "policy" never flips: the brightness of the upper left stays near it under blur and posterization.
  const auto flipped = [](const char* set) {
    int count = 0;
    for (uint64_t seed = 0; seed < 200; ++seed) {
      Random random(seed);
      count += drawn_mutation(set, random) == Mutation::kVerticalFlip ? 1 : 0;
    }
    return count;
  };
  EXPECT_EQ(flipped("policy"), 0);
  EXPECT_GT(flipped("all"), 5);
}

std::vector<Mutation> all_mutations() {
  std::vector<Mutation> all;
  for (int64_t kind = 0; kind < kMutations; ++kind) all.push_back(static_cast<Mutation>(kind));
  return all;
}

TEST(Mutations, KeepShapeAndRangeAndChangeTheImage) {
  for (const Mutation kind : all_mutations()) {
    Random random(4);
    const Tensor image = submission().image;
    const Tensor after = mutated(kind, image, random);
    const int number = static_cast<int>(kind);
    ASSERT_EQ(after.sizes(), image.sizes()) << number;
    EXPECT_GE(after.min().item<double>(), 0) << number;
    EXPECT_LE(after.max().item<double>(), 1 + 1e-6) << number;
    const bool gray_already = kind == Mutation::kGray;
    EXPECT_TRUE(gray_already || !at::equal(after, image)) << number;
  }
}

TEST(Mutations, TakeTheSmallestImages) {
  for (const int64_t side : {1, 2, 3, 4, 7})
    for (const Mutation kind : all_mutations()) {
      Random random(4);
      const Tensor tiny = at::full({1, 3, side, side + 2}, 0.5);
      EXPECT_EQ(mutated(kind, tiny, random).sizes(), tiny.sizes())
          << static_cast<int>(kind) << " at " << side;
    }
}

TEST(Mutations, GradientsAreExactWhereNothingIsRounded) {
  const Tensor point = Random(1).uniform_tensor({1, 3, 16, 20}, 0.3, 0.7).to(at::kDouble);
  for (const Mutation kind : all_mutations()) {
    // these round to 8 bits on the way, and jitter clips
    if (kind == Mutation::kCrop || kind == Mutation::kPosterization || kind == Mutation::kColorJitter)
      continue;
    const auto value = [&](const Tensor& image) {
      Random random(5);
      return mutated(kind, image, random).square().sum();
    };
    EXPECT_LT(worst_gradient_error(value, point), 1e-6) << static_cast<int>(kind);
  }
  const auto jittered = [](const Tensor& image) { return color_jittered(image, 0.9, 0.1).square().sum(); };
  EXPECT_LT(worst_gradient_error(jittered, point), 1e-6);
}

}  // namespace
}  // namespace hijack::jailguard_test
