#pragma once
#include <string>

#include "models/checkpoint/safetensors.h"
#include "src/base/tensor.h"

namespace hijack {

/// Logistic regression of standardized features: logit = w . (x - mean) / scale + bias. Shapes: n examples, F
/// features.
struct LogisticModel {
  Tensor mean, scale, weights;  ///< float64 [F]
  double bias = 0;

  /// x [..,F] -> [..], in float64 on the CPU or, where x takes a gradient, in its own type and place.
  Tensor logits(const Tensor& x) const;

  TensorMap tensors() const;
  /// Throws Error that names `where` for tensors that are missing, of other shapes or not finite.
  static LogisticModel of(const TensorMap& tensors, const std::string& where);
};

/// Minimizes sum_i log(1 + exp(-y_i logit_i)) + l2/2 |w|^2, y = +-1, with mean and scale of the examples (a
/// feature that never changes gets the scale 1), by Newton's method with step halving; the bias is not
/// penalized (as scikit-learn's LogisticRegression with C = 1/l2). More features than examples cost no more
/// than so many examples. features [n,F], labels bool [n]: both classes must be there, else Error.
LogisticModel fit_logistic(const Tensor& features, const Tensor& labels, double l2 = 1);

/// 1 / (1 + exp(-x))
double logistic(double x);

}  // namespace hijack
