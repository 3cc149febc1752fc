#include "defenses/votes/binomial.h"

namespace hijack {

double binomial_upper_tail(int64_t successes, int64_t n, double p) {
  TORCH_CHECK(successes >= 0 && successes <= n && p >= 0 && p <= 1, "no binomial tail of ", successes, " of ",
              n, " at ", p);
  if (successes == 0 || p == 1) return 1;
  if (p == 0) return 0;
  const auto count = static_cast<double>(n);
  double sum = 0;
  for (int64_t i = successes; i <= n; ++i) {
    const auto k = static_cast<double>(i);
    const double ways = std::lgamma(count + 1) - std::lgamma(k + 1) - std::lgamma(count - k + 1);
    sum += std::exp(ways + k * std::log(p) + (count - k) * std::log1p(-p));
  }
  return std::min(sum, 1.0);
}

double clopper_pearson_low(int64_t successes, int64_t n, double alpha) {
  TORCH_CHECK(n > 0 && alpha > 0 && alpha < 1, "no confidence bound for n = ", n, ", alpha = ", alpha);
  if (successes == 0) return 0;
  double low = 0, high = 1;  // the tail grows with p
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (binomial_upper_tail(successes, n, middle) < alpha ? low : high) = middle;
  }
  return low;
}

}  // namespace hijack
