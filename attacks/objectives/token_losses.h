#pragma once
#include <vector>

#include "models/tokenizer.h"
#include "src/base/tensor.h"

// Losses over the target tokens of several contexts: mean over contexts of the mean over a context's tokens,
// in at least float32. logits: one [T_i,V] per context. The result is a scalar.

namespace hijack {

/// -log p of the target's tokens (nats per token).
Tensor mean_cross_entropy(const std::vector<Tensor>& logits, const std::vector<TokenIds>& targets);

/// How far the best other token is above the target's (Carlini & Wagner 2017): max(0, margin + max_{v != t}
/// z_v - z_t). Zero gradient where a token is already ahead by `margin` logits.
Tensor mean_margin(const std::vector<Tensor>& logits, const std::vector<TokenIds>& targets, double margin);

/// KL(teacher || student) per token; wanted: the teacher's logits, one [T_i,V] per context.
Tensor mean_divergence(const std::vector<Tensor>& logits, const std::vector<Tensor>& wanted);

}  // namespace hijack
