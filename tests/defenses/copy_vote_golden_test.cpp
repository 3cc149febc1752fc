// SmoothVLM's vote and randomized smoothing against references written from the papers
// (tests/golden/smoothvlm/make.py, tests/golden/smoothing/make.py).
#include <gtest/gtest.h>

#include "defenses/votes/smoothing.h"
#include "defenses/votes/smoothvlm.h"
#include "src/base/distributions.h"
#include "src/base/file.h"
#include "src/base/json.h"

namespace hijack::copy_vote_golden_test {
namespace {

using nlohmann::json;
using Texts = std::vector<std::string>;

json golden(const std::string& folder) {
  const std::string file = HIJACK_SOURCE_DIR "/tests/golden/" + folder + "/golden.json";
  return parse_json(read_file(file), file);
}

/// The defense's answer to one image when its copies get these replies in turn.
Reply answer(const Defense& defense, const Texts& texts) {
  size_t used = 0;
  const Responder model = [&](const std::vector<Submission>& submissions) {
    std::vector<Reply> replies;
    for (size_t i = 0; i < submissions.size(); ++i) replies.push_back({.text = texts.at(used++)});
    return replies;
  };
  return defense.answer({{at::full({1, 3, 8, 8}, 0.5), {.prompt = "what is it"}}}, model).at(0);
}

TEST(SmoothVlmGolden, TheMajorityAnswers) {
  for (const json& one : golden("smoothvlm").at("cases")) {
    const auto replies = one.at("replies").get<Texts>();
    const SmoothVlm defense({.copies = static_cast<int64_t>(replies.size())});
    const Reply reply = answer(defense, replies);
    EXPECT_EQ(reply.text, one.at("answer").get<std::string>()) << one.at("name");
    EXPECT_TRUE(reply.trace.at(0).note.starts_with(std::to_string(one.at("votes").get<int>()) + " of "))
        << one.at("name") << reply.trace[0].note;
  }
}

TEST(SmoothVlmGolden, EveryCopyChangesTheShareExactly) {
  for (const json& one : golden("smoothvlm").at("counts")) {
    const auto height = one.at("height").get<int64_t>(), width = one.at("width").get<int64_t>();
    const Tensor image = (at::arange(3 * height * width).view({1, 3, height, width}) + 1) / 1000.0;
    for (const char* fill : {"black", "noise", "swap"})
      for (uint64_t seed = 0; seed < 5; ++seed) {
        Random random(seed);
        const Tensor after =
            SmoothVlm({.share = one.at("share").get<double>(), .fill = fill}).changed(image, random);
        const int64_t changed = (after != image).any(1).sum().item<int64_t>();
        EXPECT_EQ(changed, one.at("changed").get<int64_t>()) << fill << one;
        if (std::string(fill) == "swap") {
          EXPECT_TRUE(at::equal(std::get<0>(after.flatten().sort()), std::get<0>(image.flatten().sort())));
        }
      }
  }
}

TEST(SmoothingGolden, ConfidenceBounds) {
  for (const json& one : golden("smoothing").at("bounds"))
    EXPECT_NEAR(clopper_pearson_low(one.at("successes"), one.at("n"), one.at("alpha")),
                one.at("low").get<double>(), 1e-9)
        << one;
}

TEST(SmoothingGolden, Radii) {
  for (const json& one : golden("smoothing").at("radii"))
    EXPECT_NEAR(certified_radius(1, one.at("low")), one.at("radius").get<double>(), 1e-7) << one;
}

TEST(SmoothingGolden, CertifiesOrAbstains) {
  for (const json& one : golden("smoothing").at("flows")) {
    const auto selection = one.at("selection").get<Texts>(), estimation = one.at("estimation").get<Texts>();
    Smoothing::Parameters parameters{.sigma = one.at("sigma"),
                                     .copies = static_cast<int64_t>(estimation.size()),
                                     .selection = static_cast<int64_t>(selection.size()),
                                     .alpha = one.at("alpha"),
                                     .abstain = true};
    Texts all = selection;
    all.insert(all.end(), estimation.begin(), estimation.end());
    const Reply strict = answer(Smoothing(parameters), all);
    const bool abstains = one.at("answer").is_null();
    EXPECT_EQ(strict.rejected, abstains) << one.at("name");
    EXPECT_NEAR(strict.trace.at(0).score, 1 - one.at("low").get<double>(), 1e-9) << one.at("name");
    if (!abstains) {
      EXPECT_EQ(strict.text, one.at("answer").get<std::string>()) << one.at("name");
    }
    parameters.abstain = false;
    const std::string note = answer(Smoothing(parameters), all).trace.at(0).note;
    EXPECT_EQ(note.find("no certificate") != std::string::npos, abstains) << note;
    EXPECT_NEAR(certified_radius(parameters.sigma, one.at("low")), one.at("radius").get<double>(), 1e-6);
  }
}

}  // namespace
}  // namespace hijack::copy_vote_golden_test
