#pragma once
#include <span>
#include <vector>

#include "models/query.h"
#include "models/tokenizer.h"
#include "src/base/random.h"
#include "src/base/tensor.h"

namespace hijack {

/// The token that a draw falls on when tokens are laid side by side, the likeliest first (of equals the one
/// with the lower id), and cut off after top_k tokens (0: none) and after the first that bring the sum to
/// top_p of what top_k leaves. probability [V], its sum 1; draw in [0,1), as a share of what is left. Sorts
/// no more tokens than the draw needs.
TokenId drawn_token(std::span<const float> probability, double top_p, int64_t top_k, double draw);

/// Chooses the next token of each row; sampling draws come from a stream of the row's own.
class Sampler {
 public:
  /// members: which prompts these replies are of; the options outlive the sampler.
  Sampler(const GenerateOptions& options, const std::vector<size_t>& members);
  /// logits [N,V]; rows: which member each row is.
  std::vector<TokenId> next(const Tensor& logits, const std::vector<size_t>& rows);

 private:
  const GenerateOptions& options_;
  std::vector<Random> streams_;
};

}  // namespace hijack
