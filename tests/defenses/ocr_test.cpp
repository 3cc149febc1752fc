#include <gtest/gtest.h>

#include <fstream>

#include "defenses/detectors/ocr.h"
#include "src/base/error.h"
#include "src/base/font.h"
#include "src/experiment/plan/shipped.h"

namespace hijack::ocr_test {
namespace {

/// A flat picture with a word whose ink differs from the ground by `levels` gray levels. [1,3,112,112].
Tensor picture(const std::string& word, int levels) {
  const Tensor image = at::full({1, 3, 112, 112}, 120 / 255.0);
  image.narrow(2, 80, 32).fill_(230 / 255.0);  // or the faint ink would be the only contrast
  if (word.empty()) return image;
  const Font font = Font::from_file(system_font());
  const Tensor ink = font.ink({word}, 24);
  image.narrow(2, 40, ink.size(0))
      .narrow(3, 15, ink.size(1))
      .sub_((ink > .5).to(at::kFloat) * levels / 255.0);
  return image;
}

Ocr reader(const std::string& contrast, double threshold = 2) {
  Ocr::Parameters parameters;
  parameters.contrast = contrast;
  parameters.limit.threshold = threshold;
  return Ocr(parameters, {});
}

Submission with(const Tensor& image) {
  return {.image = image, .query = {.prompt = "what is written here"}};
}

double score(const std::string& contrast, const Tensor& image) {
  return reader(contrast).verdicts({with(image)}, {})[0].score;
}

class OcrTest : public ::testing::Test {
  void SetUp() override {
    if (!have_tesseract()) GTEST_SKIP() << "this build has no Tesseract";
  }
};

/// Of this process, as Linux counts them; 0 elsewhere.
int64_t threads() {
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (word == "Threads:") {
      int64_t count = 0;
      status >> count;
      return count;
    }
  return 0;
}

TEST_F(OcrTest, ReadsWithoutThreadsOfItsOwn) {
  const int64_t before = threads();
  score("normalized", picture("HELLO", 60));
  EXPECT_EQ(threads(), before) << "Tesseract's own would wait for each other on a busy machine";
}

TEST_F(OcrTest, CountsTheLettersThatItReads) {
  EXPECT_EQ(score("plain", picture("STOP", 100)), 4);
  EXPECT_EQ(score("plain", picture("", 0)), 0);
  const auto verdict = reader("plain").verdicts({with(picture("STOP", 100))}, {})[0];
  EXPECT_EQ(verdict.note, "read: STOP");
}

TEST_F(OcrTest, OnlyNormalizedContrastShowsWhatIsHardlyVisible) {
  EXPECT_EQ(score("plain", picture("STOP", 2)), 0);
  EXPECT_EQ(score("normalized", picture("STOP", 2)), 4);
  EXPECT_EQ(score("normalized", picture("", 0)), 0);
}

TEST_F(OcrTest, RejectsTextAndPassesOnTheRest) {
  const Ocr ocr = reader("plain");
  const Responder model = [](const std::vector<Submission>& all) {
    return std::vector<Reply>(all.size(), {.text = "seen"});
  };
  const auto replies = ocr.answer({with(picture("STOP", 100)), with(picture("", 0)), with({})}, model);
  EXPECT_TRUE(replies[0].rejected);
  EXPECT_EQ(replies[0].trace[0].score, 4);
  EXPECT_EQ(replies[1].text, "seen");
  EXPECT_EQ(replies[2].text, "seen") << "no image: nothing to read";
}

TEST_F(OcrTest, NormalizedContrastDoesNotDependOnTheContrast) {
  const auto normalized = [](int levels) {
    return normalize_contrast(picture("STOP", levels).narrow(1, 0, 1), 4);
  };
  const Tensor faint = normalized(8), strong = normalized(80);
  EXPECT_LT((faint - strong).abs().mean().item<double>(), .02);
  EXPECT_GE(faint.min().item<double>(), 0);
  EXPECT_LE(faint.max().item<double>(), 1);
}

TEST(Ocr, BadParametersAreRefused) {
  Ocr::Parameters parameters;
  parameters.contrast = "loud";
  EXPECT_THROW(parameters.check(), Error);
  parameters = {};
  parameters.confidence = 101;
  EXPECT_THROW(parameters.check(), Error);
}

}  // namespace
}  // namespace hijack::ocr_test
