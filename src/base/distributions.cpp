#include "src/base/distributions.h"

#include <c10/util/Exception.h>

#include <boost/math/distributions/binomial.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <stdexcept>

namespace hijack {
namespace {

boost::math::binomial binomial(int64_t successes, int64_t n, double p) {
  TORCH_CHECK(successes >= 0 && successes <= n && p >= 0 && p <= 1, "no binomial tail of ", successes, " of ",
              n, " at ", p);
  return boost::math::binomial(static_cast<double>(n), p);
}

}  // namespace

double normal_quantile(double p) {
  if (!(p > 0 && p < 1)) throw std::invalid_argument("normal_quantile needs 0 < p < 1");
  return boost::math::quantile(boost::math::normal(), p);
}

double student_quantile(double p, int64_t degrees) {
  if (!(p > 0.5 && p < 1) || degrees < 1)
    throw std::invalid_argument("student_quantile needs 0.5 < p < 1 and a degree of freedom");
  return boost::math::quantile(boost::math::students_t(static_cast<double>(degrees)), p);
}

double binomial_lower_tail(int64_t successes, int64_t n, double p) {
  return boost::math::cdf(binomial(successes, n, p), static_cast<double>(successes));
}

double binomial_upper_tail(int64_t successes, int64_t n, double p) {
  const auto distribution = binomial(successes, n, p);
  if (successes == 0) return 1;
  return boost::math::cdf(boost::math::complement(distribution, static_cast<double>(successes - 1)));
}

double clopper_pearson_low(int64_t successes, int64_t n, double alpha) {
  TORCH_CHECK(n > 0 && successes >= 0 && successes <= n && alpha > 0 && alpha < 1,
              "no confidence bound for n = ", n, ", alpha = ", alpha);
  return boost::math::binomial::find_lower_bound_on_p(static_cast<double>(n), static_cast<double>(successes),
                                                      alpha);
}

}  // namespace hijack
