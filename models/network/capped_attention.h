#pragma once
#include "src/base/tensor.h"

namespace hijack {

/// Softmax attention whose scores s become cap tanh(s / cap) before the mask (Gemma 2), which fused kernels
/// do not know. query [N,H,L,d], key and value [N,K,L',d] with H % K == 0; mask: as `attention` takes it,
/// with one head, or undefined. Keeps its inputs only and computes the scores of one key-value head at a
/// time, again in the backward pass.
Tensor capped_attention(const Tensor& query, const Tensor& key, const Tensor& value, const Tensor& mask,
                        double scale, double cap);

}  // namespace hijack
