#pragma once
#include <optional>
#include <span>
#include <utility>
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

/// What is known of a row when only its likeliest tokens have been read.
struct LikelyTokens {
  std::vector<std::pair<float, TokenId>>
      tokens;  ///< probability and id, in any order; all others are no likelier
  size_t vocabulary = 0;
  double all = 1;  ///< the sum of all probabilities
};
/// The same token, or nothing where the draw needs to know more tokens.
std::optional<TokenId> drawn_token(const LikelyTokens& row, double top_p, int64_t top_k, double draw);

/// Of each row of probability [N,V], in one read from its device.
std::vector<LikelyTokens> likely_tokens(const Tensor& probability, int64_t most);

/// Chooses the next token of each row; sampling draws come from a stream of the row's own.
class Sampler {
 public:
  /// members: which prompts these replies are of; the options outlive the sampler.
  Sampler(const GenerateOptions& options, const std::vector<size_t>& members);
  /// logits [N,V]; rows: which member each row is.
  std::vector<TokenId> next(const Tensor& logits, const std::vector<size_t>& rows);
  /// The tokens that draws (one a row) fall on, with all of probability [N,V] read; and, as a GPU's are, with
  /// as many of its likeliest tokens as they need.
  std::vector<TokenId> by_rows(const Tensor& probability, const std::vector<double>& draws) const;
  std::vector<TokenId> by_likeliest(const Tensor& probability, const std::vector<double>& draws) const;

 private:
  const GenerateOptions& options_;
  std::vector<Random> streams_;
};

}  // namespace hijack
