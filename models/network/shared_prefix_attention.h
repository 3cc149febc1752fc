#pragma once
#include <optional>
#include <vector>

#include "src/base/tensor.h"

// Attention of packed tokens over [prefix | packed] in two exact parts, so that the prefix is read where it
// lies (Juravsky et al. 2024, "Hydragen: High-Throughput LLM Inference with Shared Prefixes"): all queries
// over the prefix at once and without a mask, then each group over its own few keys. The parts are joined by
// the logarithms of their sums of exponentials (log-sum-exp), as blocks of keys are in FlashAttention.
// Shapes: N batch, H heads, K key-value heads (H % K == 0), L packed tokens, P prefix tokens, d head width.

namespace hijack {

/// Packed tokens that stand one after another and are attended to together.
struct PackedGroup {
  int64_t size = 0;
  Tensor before;  ///< int64 [A], packed tokens of earlier groups that some of these see; undefined: none
  /// [1,1,size,A+size], added to the scores: of `before`, then of the group itself. At least one column of
  /// each row is seen. Undefined where there is no `before` and each token sees those up to itself.
  Tensor mask;
};

/// Whether shared_prefix_attention() is for them: on a CPU, from 32 bits on (of 16 each part would be rounded
/// before they are joined, which no other program does). What would be needed of a GPU's kernels (their
/// log-sum-exp, and a backward pass that takes one) differs from kernel to kernel and could not be tried.
bool takes_shared_prefix(const Tensor& like);

/// query [N,H,L,d], key and value [N,K,L,d], prefix_key and prefix_value [N,K,P,d] with P > 0; the groups'
/// sizes add up to L; scale: of the products of query and key, nullopt: 1 / sqrt(d) -> [N,H,L,d], each row
/// the softmax attention over the whole prefix and what its group says. All float32 or all float64; equal to
/// attention() over the concatenation but for rounding. Differentiable (once) to all five; keeps its inputs,
/// its output and a number per query and head.
Tensor shared_prefix_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                               const Tensor& prefix_key, const Tensor& prefix_value,
                               std::vector<PackedGroup> groups, std::optional<double> scale = std::nullopt);

}  // namespace hijack
