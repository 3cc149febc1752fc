#pragma once
#include "src/base/random.h"
#include "src/base/tensor.h"

// What FOA-Attack (Jia et al. 2025) compares of patch tokens. Shapes: T tokens, k centers, W width.

namespace hijack {

/// The centers of `clusters` groups of tokens [T,W] (k-means, Euclidean; begun at tokens that `random` draws,
/// at most 100 rounds) -> [k,W], k = min(clusters, T). Who belongs to which group is fixed; the centers are
/// means of their tokens, differentiable. A group that loses all its tokens keeps its place.
Tensor token_centers(const Tensor& tokens, int64_t clusters, Random& random);

/// Entropic optimal transport (Cuturi 2013) between uniform weights at cost [n,m]: Sinkhorn's scaling of
/// exp(-cost / 0.1), at most 100 rounds, until the row factors change by less than 0.01 on average. No
/// gradient.
Tensor transport_plan(const Tensor& cost);

/// sum of plan x cost between rows of a [n,W] and b [m,W], the cost 1 - cosine, the plan constant.
/// Differentiable.
Tensor transport_cost(const Tensor& a, const Tensor& b);

}  // namespace hijack
