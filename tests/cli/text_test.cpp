#include "src/cli/text.h"

#include <gtest/gtest.h>

#include "src/cli/progress.h"

namespace hijack::cli {
namespace {

TEST(ProgressLine, GivesWayOnNarrowTerminals) {
  const ProgressState state{"string-linf-8-cat-s0", 120, 300, 0.4123, 0.63, 9.2};
  const std::string wide = progress_line(state, 160);
  for (const char* part :
       {"string-linf-8-cat-s0", "[###", "120/300", "loss 0.412", "success 63%", "9.20 steps/s", "0:20 left"})
    EXPECT_NE(wide.find(part), std::string::npos) << part << " in " << wide;
  for (int width = 1; width < 160; ++width)
    EXPECT_LE(progress_line(state, width).size(), static_cast<size_t>(width));
  const std::string narrow = progress_line(state, 40);
  EXPECT_EQ(narrow.find("string"), std::string::npos);
  EXPECT_NE(narrow.find("120/300"), std::string::npos);
  EXPECT_NE(narrow.find("0:20 left"), std::string::npos);
}

TEST(ProgressLine, SaysWhichTrialItIsAndTheTimeOfAll) {
  ProgressState state{.name = "x", .done = 50, .total = 100, .rate = 10, .number = 3, .count = 24};
  EXPECT_NE(progress_line(state, 160).find("trial 3 of 24"), std::string::npos);
  EXPECT_EQ(progress_line(state, 160).find("in all"), std::string::npos) << "not known";
  state.later = 550;
  state.whole_rate = 6;  // measuring takes its time, too
  EXPECT_NE(progress_line(state, 160).find("0:05 left  1:40 left in all"), std::string::npos)
      << progress_line(state, 160);
  for (int width = 1; width < 160; ++width)
    EXPECT_LE(progress_line(state, width).size(), static_cast<size_t>(width));
  state.count = 1;
  EXPECT_EQ(progress_line(state, 160).find("trial"), std::string::npos);
}

TEST(Progress, BeginsAnewWhenASearchOfTheSameNameDoes) {
  testing::internal::CaptureStdout();  // where lines go before a program sends them elsewhere
  {
    Progress progress;
    for (const int64_t done : {1, 39, 40, 1}) progress.show({.name = "suffix", .done = done, .total = 40});
  }
  const std::string shown = testing::internal::GetCapturedStdout();
  EXPECT_NE(shown.find("40/40"), std::string::npos) << shown;
  EXPECT_EQ(shown.find("39/40"), std::string::npos) << "a line in five seconds is enough";
  EXPECT_NE(shown.rfind(" 1/40"), shown.find(" 1/40")) << "the second search: " << shown;
}

TEST(ProgressLine, LeavesOutWhatIsNotKnown) {
  EXPECT_EQ(progress_line({"x", 0, 10, -1, -1, 0}, 80).find("success"), std::string::npos);
  EXPECT_EQ(clock_text(65), "1:05");
  EXPECT_EQ(clock_text(7231), "2:00:31");
}

TEST(Printable, CannotDriveATerminal) {
  EXPECT_EQ(printable("a\x1b[2Jb\nc\x7f"), "a?[2Jb c?");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "?31m");
  EXPECT_EQ(printable("é ü"), "é ü");
  EXPECT_EQ(printable("aéééé", 4), "aéé…");
}

TEST(ShellWord, QuotesWhatAShellWouldChange) {
  EXPECT_EQ(shell_word("runs/a-1"), "runs/a-1");
  EXPECT_EQ(shell_word("my run"), "'my run'");
  EXPECT_EQ(shell_word("it's"), "'it'\\''s'");
  EXPECT_EQ(shell_word(""), "''");
}

TEST(Table, AlignsByCodePoints) {
  EXPECT_EQ(table_text({{"a", "b"}, {"é", "1"}, {"long", "2"}}), "a     b\n----  -\né     1\nlong  2\n");
}

TEST(Table, IsReadableOnNarrowTerminals) {
  const std::vector<std::vector<std::string>> rows = {
      {"defense", "image, static"}, {"jpeg", "66 %"}, {"ü", "–"}};
  EXPECT_EQ(table_text(rows, 22), table_text(rows));
  EXPECT_EQ(table_text(rows, 21), "jpeg\n  image, static  66 %\nü\n  image, static  –\n");
}

TEST(Rate, HasItsInterval) {
  EXPECT_EQ(rate_text(0, 0), "–");
  EXPECT_EQ(rate_text(33, 50), "66 % [52–78]");
}

}  // namespace
}  // namespace hijack::cli
