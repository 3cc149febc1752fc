#include "src/base/nearest.h"

#include "src/base/text.h"

#include <gtest/gtest.h>

#include <vector>

namespace hijack::nearest_test {
namespace {

TEST(Nearest, EditDistance) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("abc", ""), 3u);
  EXPECT_EQ(edit_distance("", "ab"), 2u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance("epsilon", "epsilon"), 0u);
}

TEST(Nearest, SuggestsOnlyWhatCanBeMeant) {
  const std::vector<std::string> known{"pgd", "adam", "sgd"};
  EXPECT_EQ(nearest("Adma", known), "adam");
  EXPECT_EQ(nearest("PGD", known), "pgd");
  EXPECT_EQ(nearest("quasi-newton", known), "");
  EXPECT_EQ(nearest("", known), "");
  EXPECT_EQ(unknown_name("optimizer", "adm", known),
            "there is no optimizer 'adm': did you mean 'adam'? Known are pgd, adam and sgd.");
  EXPECT_EQ(unknown_name("optimizer", "quasi-newton", known),
            "there is no optimizer 'quasi-newton'. Known are pgd, adam and sgd.");
}

}  // namespace
}  // namespace hijack::nearest_test
