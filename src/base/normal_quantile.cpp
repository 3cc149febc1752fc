#include "src/base/normal_quantile.h"

#include <numbers>
#include <stdexcept>

namespace hijack {

double normal_quantile(double p) {
  if (!(p > 0 && p < 1)) throw std::invalid_argument("normal_quantile needs 0 < p < 1");
  // Bisection of the complementary error function: halvings end at double precision, and it is called a few
  // times per report or certificate.
  double low = -40, high = 40;
  for (int i = 0; i < 120 && high - low > 1e-15; ++i) {
    const double middle = (low + high) / 2;
    (std::erfc(-middle / std::numbers::sqrt2) / 2 < p ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace hijack
