#include "src/base/font.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "src/base/file.h"
#include "src/base/random.h"
#include "tests/support/temporary_folder.h"

namespace hijack::font_test {
namespace {

using support::error_of;

constexpr const char* kFont = "/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf";

class FontFile : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(kFont)) GTEST_SKIP() << "fonts-dejavu-core is not installed";
  }
  std::string refused(const std::string& bytes) {
    write_file(folder_.path() / "f.ttf", bytes);
    return error_of([&] { Font::from_file(folder_.path() / "f.ttf"); });
  }
  support::TemporaryFolder folder_;
};

TEST_F(FontFile, DrawsLettersOfTheSizeAskedFor) {
  const Font font = Font::from_file(kFont);
  const Tensor bar = font.ink({"l"}, 40);
  EXPECT_EQ(bar.size(0), 40);
  EXPECT_GE(bar.min().item<double>(), 0);
  EXPECT_EQ(bar.max().item<double>(), 1);
  // an l is an upright bar: some column is inked over most of the ascent, the columns beside it are not
  const Tensor heights = bar.sum(0);
  EXPECT_GT(heights.max().item<double>(), 20);
  EXPECT_EQ(heights.min().item<double>(), 0);
  // the ink of an E lies left of its middle line's end, and two letters are wider than one
  EXPECT_GT(font.ink({"ll"}, 40).size(1), bar.size(1));
  EXPECT_NEAR(font.ink({"ll"}, 40).sum().item<double>(), 2 * bar.sum().item<double>(), 2);
  EXPECT_NEAR(font.ink({"l"}, 80).sum().item<double>(), 4 * bar.sum().item<double>(), 40);
  EXPECT_EQ(font.ink({"a", "b"}, 20).size(0), 40);
  EXPECT_FALSE(at::equal(font.ink({"p"}, 30), font.ink({"q"}, 30)));
  EXPECT_EQ(font.ink({" "}, 30).sum().item<double>(), 0);
}

TEST_F(FontFile, BreaksLinesBetweenWords) {
  const Font font = Font::from_file(kFont);
  EXPECT_EQ(font.lines("one two", 10, 1000), std::vector<std::string>{"one two"});
  EXPECT_EQ(font.lines("one  two\nthree", 10, 10), (std::vector<std::string>{"one", "two", "three"}));
  for (const std::string& line : font.lines("a few words that need several lines", 12, 90))
    EXPECT_LE(font.ink({line}, 12).size(1), 93);
  EXPECT_TRUE(font.lines("  ", 10, 100).empty());
}

TEST_F(FontFile, TextThatCannotBeDrawnIsRefused) {
  const Font font = Font::from_file(kFont);
  EXPECT_NE(error_of([&] { font.ink({"a\xff"}, 20); }).find("UTF-8"), std::string::npos);
  EXPECT_NE(error_of([&] { font.ink({"a\xc3"}, 20); }).find("UTF-8"), std::string::npos);
  EXPECT_NE(error_of([&] { font.ink({"\xe4\xbd\xa0"}, 20); }).find("no shape"), std::string::npos);
  EXPECT_EQ(error_of([&] { font.ink({"\xc3\xa9"}, 20); }), "");
  EXPECT_NE(error_of([&] { font.ink({std::string(500'000, 'm')}, 200); }).find("too long"),
            std::string::npos);
}

TEST_F(FontFile, DamagedFilesAreRefused) {
  EXPECT_NE(refused(""), "");
  EXPECT_NE(refused("not a font at all").find(".ttf"), std::string::npos);
  const std::string whole = read_file(kFont);
  EXPECT_EQ(refused(whole), "");
  EXPECT_NE(refused(whole.substr(0, 200)), "");
  EXPECT_NE(refused(whole.substr(0, whole.size() / 2)), "");
  EXPECT_NE(refused(std::string("\0\1\0\0\0\0\0\0\0\0\0\0", 12)), "") << "no tables";
  Random random(1);
  for (int i = 0; i < 20; ++i) {  // one flipped bit in a table's place, size, sum or body
    std::string damaged = whole;
    const auto at = static_cast<size_t>(random.between(16, static_cast<int64_t>(whole.size()) - 1));
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    // bytes between tables, and the sum of the whole file inside `head`, say nothing about shapes
    if (const std::string why = refused(damaged); why.empty()) continue;
    EXPECT_NE(refused(damaged).find("not a usable TrueType font"), std::string::npos) << at;
  }
  EXPECT_NE(error_of([] { Font::from_file("/no/such.ttf"); }), "");
}

}  // namespace
}  // namespace hijack::font_test
