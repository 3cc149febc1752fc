#pragma once
#include <cstdint>

namespace hijack {

/// P(X >= successes) for X ~ Binomial(n, p). 0 <= successes <= n, 0 <= p <= 1.
double binomial_upper_tail(int64_t successes, int64_t n, double p);

/// One-sided lower confidence bound of a rate (Clopper and Pearson 1934): the p at which `successes` or more
/// out of n have probability alpha. The true rate lies above it with confidence 1 - alpha. 0 for no success.
/// 0 <= successes <= n, n > 0, 0 < alpha < 1.
double clopper_pearson_low(int64_t successes, int64_t n, double alpha);

}  // namespace hijack
