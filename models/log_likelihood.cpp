#include "models/log_likelihood.h"

#include "src/base/upload.h"

namespace hijack {

std::vector<double> log_likelihoods(const VisionLanguageModel& model, const Pixels& pixels,
                                    std::span<const Query> queries, std::span<const TokenIds> targets) {
  const at::NoGradGuard no_gradients;
  std::vector<double> found;
  for (size_t begin = 0; begin < queries.size(); begin += kRepliesAtOnce) {
    const size_t count = std::min(kRepliesAtOnce, queries.size() - begin);
    const auto wanted = targets.subspan(begin, count);
    const std::vector<Tensor> logits = model.target_logits(pixels, queries.subspan(begin, count), wanted);
    for (size_t i = 0; i < count; ++i) {
      const Tensor ids = constant_ids(wanted[i], logits[i].device());
      found.push_back(-at::cross_entropy_loss(logits[i], ids, {}, at::Reduction::Sum).item<double>());
    }
  }
  return found;
}

}  // namespace hijack
