// Parts of hijack serve that need no connection.
#include <gtest/gtest.h>

#include "src/serve/stop_texts.h"

namespace hijack::serve_parts_test {
namespace {

/// What is shown of a text that comes in pieces.
std::pair<std::string, bool> shown(const std::vector<std::string>& stops,
                                   const std::vector<std::string>& pieces) {
  StopTexts filter(stops);
  std::string text;
  for (const std::string& piece : pieces) text += filter.take(piece);
  const bool met = filter.met();
  return {text + filter.rest(), met};
}

TEST(StopTexts, EndTheTextWhereverPiecesBreak) {
  using Shown = std::pair<std::string, bool>;
  EXPECT_EQ(shown({}, {"a", "b"}), (Shown{"ab", false}));
  EXPECT_EQ(shown({"END"}, {"one E", "ND two"}), (Shown{"one ", true}));
  EXPECT_EQ(shown({"END"}, {"one E", "N", "D"}), (Shown{"one ", true}));
  EXPECT_EQ(shown({"END"}, {"one E", "N", "d"}), (Shown{"one ENd", false}));
  EXPECT_EQ(shown({"END"}, {"one EN"}), (Shown{"one EN", false}));
  EXPECT_EQ(shown({"bc", "ab"}, {"xabc"}), (Shown{"x", true})) << "the first place counts";
  EXPECT_EQ(shown({"aab"}, {"a", "a", "a", "b", "c"}), (Shown{"a", true}));
  EXPECT_EQ(shown({"é"}, {"caf", "é!"}), (Shown{"caf", true}));
  EXPECT_EQ(shown({"END"}, {"END", "more"}), (Shown{"", true}));
}

TEST(StopTexts, HoldBackNoMoreThanTheyMust) {
  StopTexts filter({"END"});
  EXPECT_EQ(filter.take("abc"), "abc");
  EXPECT_EQ(filter.take("xE"), "x");
  EXPECT_EQ(filter.take("x"), "Ex");
}

}  // namespace
}  // namespace hijack::serve_parts_test
