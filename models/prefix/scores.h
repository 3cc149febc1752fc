#pragma once
#include <set>

#include "models/tokenizer.h"
#include "src/base/tensor.h"

namespace hijack {

/// logits [V] after the penalty for the tokens that were seen; ids outside of the vocabulary count for
/// nothing.
Tensor penalize_repetition(const Tensor& logits, const std::set<TokenId>& seen, double penalty);

/// Throws NotFinite when a row of logits [..,V], from which token `token` (from 1) of a reply is chosen, has
/// NaN, +infinity, or nothing but -infinity: the choice would mean nothing.
void check_scores(const Tensor& logits, int64_t token);

}  // namespace hijack
