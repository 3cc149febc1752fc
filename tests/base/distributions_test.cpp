#include "src/base/distributions.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hijack::distributions_test {
namespace {

TEST(Binomial, UpperTailEqualsTheHandCount) {
  EXPECT_NEAR(binomial_upper_tail(9, 10, 0.5), 11.0 / 1024, 1e-12);
  EXPECT_NEAR(binomial_upper_tail(1, 3, 0.1), 1 - std::pow(0.9, 3), 1e-12);
  EXPECT_EQ(binomial_upper_tail(0, 5, 0), 1);
  EXPECT_EQ(binomial_upper_tail(1, 5, 0), 0);
  EXPECT_EQ(binomial_upper_tail(5, 5, 1), 1);
}

TEST(Binomial, ClopperPearsonLowerBound) {
  EXPECT_NEAR(clopper_pearson_low(20, 20, 0.05), std::pow(0.05, 1.0 / 20), 1e-9) << "closed form for n of n";
  EXPECT_NEAR(clopper_pearson_low(1, 1, 0.05), 0.05, 1e-9);
  EXPECT_NEAR(clopper_pearson_low(9, 10, 0.05), 0.6058, 5e-5);
  EXPECT_EQ(clopper_pearson_low(0, 10, 0.05), 0);
  EXPECT_LT(clopper_pearson_low(9, 10, 0.001), clopper_pearson_low(9, 10, 0.05));
  EXPECT_NEAR(clopper_pearson_low(99000, 100000, 0.001), 0.989, 1e-3) << "large n stay finite";
}

TEST(Binomial, TheBoundHoldsAsOftenAsItSays) {
  // Over all outcomes of Binomial(20, p), the bound lies above p with probability at most alpha.
  for (const double p : {0.3, 0.6, 0.8}) {
    double wrong = 0;
    for (int k = 0; k <= 20; ++k) {
      const double mass = binomial_upper_tail(k, 20, p) - (k < 20 ? binomial_upper_tail(k + 1, 20, p) : 0);
      if (clopper_pearson_low(k, 20, 0.05) > p) wrong += mass;
    }
    EXPECT_LE(wrong, 0.05) << p;
    EXPECT_GT(wrong, 0) << p;
  }
}

}  // namespace
}  // namespace hijack::distributions_test
