#pragma once
#include "src/base/tensor.h"

namespace hijack {

/// The coefficients w [F] that minimize |y - X w - b|^2 / (2n) + alpha |w|_1 over w and b (Tibshirani 1996,
/// scaled as scikit-learn's Lasso), by coordinate descent until none moves by more than 1e-7 of the largest.
/// x [n,F], y [n], any floating types. Same input, same bytes.
Tensor lasso(const Tensor& x, const Tensor& y, double alpha);

}  // namespace hijack
