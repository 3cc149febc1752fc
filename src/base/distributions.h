#pragma once
#include <cstdint>

// Distribution functions for reports, certificates and tests of hypotheses.

namespace hijack {

/// The z with P(Z <= z) = p for a standard normal Z. Throws std::invalid_argument unless 0 < p < 1.
double normal_quantile(double p);

/// Student's t distribution: the quantile of p in (0.5, 1), for 1 degree of freedom or more. Throws
/// std::invalid_argument otherwise.
double student_quantile(double p, int64_t degrees);

/// P(X <= successes) for X ~ Binomial(n, p). 0 <= successes <= n, 0 <= p <= 1.
double binomial_lower_tail(int64_t successes, int64_t n, double p);
/// P(X >= successes).
double binomial_upper_tail(int64_t successes, int64_t n, double p);

/// One-sided lower confidence bound of a rate (Clopper and Pearson 1934): the p at which `successes` or more
/// out of n have probability alpha. The true rate lies above it with confidence 1 - alpha. 0 for no success.
/// 0 <= successes <= n, n > 0, 0 < alpha < 1.
double clopper_pearson_low(int64_t successes, int64_t n, double alpha);

}  // namespace hijack
