// JailGuard against a reference written from the paper (tests/golden/jailguard/make.py).
#include <gtest/gtest.h>

#include "defenses/detectors/jailguard.h"
#include "defenses/image/mutations.h"
#include "src/base/file.h"
#include "src/base/json.h"

namespace hijack::jailguard_golden_test {
namespace {

using nlohmann::json;

const json& golden() {
  static const json all =
      parse_json(read_file(HIJACK_SOURCE_DIR "/tests/golden/jailguard/golden.json"), "it");
  return all;
}

/// make.py's picture.
Tensor picture() {
  Tensor image = at::empty({1, 3, 6, 9}, at::kFloat);
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t y = 0; y < 6; ++y)
      for (int64_t x = 0; x < 9; ++x)
        image[0][c][y][x] = static_cast<double>((c * 83 + y * 37 + x * 29) % 256) / 255;
  return image;
}

Tensor mutated_as(const std::string& name) {
  std::istringstream words(name);
  std::string kind;
  double first = 0, second = 0;
  words >> kind >> first >> second;
  if (kind == "rotated") return rotated(picture(), first);
  if (kind == "solarized") return solarized(picture(), first);
  if (kind == "posterized") return posterized(picture(), static_cast<int64_t>(first));
  EXPECT_EQ(kind, "jittered");
  return color_jittered(picture(), first, second);
}

TEST(JailGuardGolden, DivergenceOfReplies) {
  for (const json& one : golden().at("cases")) {
    const auto replies = one.at("replies").get<std::vector<std::string>>();
    const double score = reply_divergence(replies);
    EXPECT_NEAR(score, one.at("score").get<double>(), 1e-9) << one.at("name");
    EXPECT_EQ(score >= golden().at("threshold").get<double>(), one.at("attack").get<bool>())
        << one.at("name");
  }
}

TEST(JailGuardGolden, TheWholeDefense) {
  const Tensor image = at::full({1, 3, 16, 16}, 0.5);
  for (const json& one : golden().at("cases")) {
    const auto replies = one.at("replies").get<std::vector<std::string>>();
    size_t used = 0;
    const Responder model = [&](const std::vector<Submission>& submissions) {
      std::vector<Reply> all;
      for (size_t i = 0; i < submissions.size(); ++i)
        all.push_back({.text = replies[used++ % replies.size()]});
      return all;
    };
    const auto copies = static_cast<int64_t>(replies.size());
    const JailGuard defense({.copies = copies, .limit = {.threshold = golden().at("threshold")}}, {});
    const Reply reply = defense.answer({{image, {.prompt = "what is it"}}}, model).at(0);
    EXPECT_EQ(reply.rejected, one.at("attack").get<bool>()) << one.at("name");
    EXPECT_NEAR(reply.trace.at(0).score, one.at("score").get<double>(), 1e-9);
  }
}

TEST(JailGuardGolden, MutatorsOfGivenStrength) {
  for (const auto& [name, values] : golden().at("mutators").items()) {
    const Tensor wanted = at::tensor(values.get<std::vector<double>>(), at::kDouble).view({1, 3, 6, 9});
    const Tensor found = mutated_as(name).to(at::kDouble);
    EXPECT_LT((found - wanted).abs().max().item<double>(), 2e-6) << name;
  }
}

TEST(JailGuardGolden, ThePolicyDrawsWithThePapersProbabilities) {
  constexpr int64_t kDraws = 40000;
  std::map<Mutation, double> share;
  Random random(1);
  for (int64_t i = 0; i < kDraws; ++i) share[drawn_mutation("policy", random)] += 1.0 / kDraws;
  const json& policy = golden().at("policy");
  EXPECT_NEAR(share[Mutation::kRotation], policy.at("rotation").get<double>(), 0.01);
  EXPECT_NEAR(share[Mutation::kBlur], policy.at("blur").get<double>(), 0.01);
  EXPECT_NEAR(share[Mutation::kPosterization], policy.at("posterization").get<double>(), 0.01);
  EXPECT_EQ(share.size(), 3u);
}

}  // namespace
}  // namespace hijack::jailguard_golden_test
