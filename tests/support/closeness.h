#pragma once
#include <ATen/ATen.h>

#include "models/tokenizer.h"

// How near computed values come to those of another implementation.

namespace hijack::support {

inline double largest_difference(const at::Tensor& actual, const at::Tensor& expected) {
  return (actual - expected).abs().max().item<double>();
}

/// The largest difference by the largest expected value.
inline double relative_error(const at::Tensor& actual, const at::Tensor& expected) {
  return largest_difference(actual, expected) / expected.abs().max().item<double>();
}

inline double cosine(const at::Tensor& a, const at::Tensor& b) {
  return (at::sum(a * b) / (a.norm() * b.norm())).item<double>();
}

/// Over the tokens of a target; logits [T,V].
inline at::Tensor mean_loss(const at::Tensor& logits, const TokenIds& target) {
  return at::cross_entropy_loss(logits, at::tensor(target, at::kLong));
}

}  // namespace hijack::support
