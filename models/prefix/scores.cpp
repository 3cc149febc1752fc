#include "models/prefix/scores.h"

#include "src/base/error.h"

namespace hijack {

Tensor penalize_repetition(const Tensor& logits, const std::set<TokenId>& seen, double penalty) {
  if (penalty == 1) return logits;
  std::vector<TokenId> ids;
  for (const TokenId id : seen)
    if (id >= 0 && id < logits.size(0)) ids.push_back(id);
  const Tensor places = at::tensor(ids, at::kLong).to(logits.device());
  const Tensor before = logits.index_select(0, places);
  return logits.index_copy(0, places, at::where(before < 0, before * penalty, before / penalty));
}

void check_scores(const Tensor& logits, int64_t token) {
  // the largest of each row is NaN when one is
  if (!logits.amax(-1).isfinite().all().item<bool>())
    throw NotFinite("the scores of token " + std::to_string(token) + " of a reply are not finite");
}

}  // namespace hijack
