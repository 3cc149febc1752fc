#pragma once

namespace hijack {

/// Inverse of the standard normal distribution function, 0 < p < 1; std::invalid_argument otherwise.
double normal_quantile(double p);

}  // namespace hijack
