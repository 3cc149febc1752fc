#include "attacks/objectives/delay_end.h"

#include "src/base/error.h"

namespace hijack {

DelayEnd::DelayEnd(std::shared_ptr<const VisionLanguageModel> model, std::vector<Context> contexts,
                   int64_t longest, int64_t batch, uint64_t seed)
    : model_(std::move(model)),
      contexts_(std::move(contexts)),
      longest_(longest),
      batches_(contexts_.size(), batch, seed) {
  if (model_->end_of_reply().empty())
    throw Error("the model has no end token that could be delayed: choose another behavior.");
}

Tensor DelayEnd::loss(const Tensor& image, int64_t step) {
  std::vector<Context> contexts;
  for (const size_t i : own(batches_.at(step))) contexts.push_back(contexts_[i]);
  GenerateOptions options;
  options.max_new_tokens = longest_;
  const TokenIds end = model_->end_of_reply();
  std::vector<Tensor> losses;
  for (int64_t n = 0; n < image.size(0); ++n) {
    const Pixels pixels = model_->preprocess(image.narrow(0, n, 1));
    std::vector<TokenIds> replies;
    for (const Generated& reply : model_->generate(pixels, contexts, options)) {
      replies.push_back(model_->target_ids(reply.text));
      replies.back().push_back(end.front());  // its place is where the end would be said
    }
    std::vector<Tensor> means;
    for (const Tensor& logits : model_->target_logits(pixels, contexts, replies))
      means.push_back(logits.to(at::promote_types(logits.scalar_type(), at::kFloat))
                          .softmax(-1)
                          .select(1, end.front())
                          .mean());
    losses.push_back(at::stack(means).mean());
  }
  return at::stack(losses);
}

}  // namespace hijack
