#include "attacks/objectives/prompt_matching.h"

#include "attacks/objectives/behavior_matching.h"
#include "attacks/objectives/token_losses.h"

namespace hijack {

PromptMatching::PromptMatching(std::shared_ptr<const VisionLanguageModel> model, const Behavior& behavior,
                               const std::string& instruction, AskedContexts contexts, const Tensor& origin,
                               int64_t batch, uint64_t seed)
    : model_(std::move(model)), asked_(std::move(contexts.asked)), batches_(asked_.size(), batch, seed) {
  const at::NoGradGuard no_gradients;
  const Pixels pixels = model_->preprocess(origin);
  for (const Context& context : contexts.contexts) {
    targets_.push_back(target_tokens(*model_, behavior, context));
    const Context teacher = instructed(context, instruction);
    wanted_.push_back(
        model_->target_logits(pixels, std::span(&teacher, 1), std::span(&targets_.back(), 1)).front());
  }
}

Tensor PromptMatching::loss(const Tensor& image, int64_t step) {
  std::vector<Query> queries;
  std::vector<TokenIds> targets;
  std::vector<Tensor> wanted;
  for (const size_t i : own(batches_.at(step))) {
    queries.push_back(asked_[i]);
    targets.push_back(targets_[i]);
    wanted.push_back(wanted_[i]);
  }
  std::vector<Tensor> losses;
  for (const Tensor& one : images_of(image)) {
    const Pixels pixels = model_->preprocess(one);
    losses.push_back(mean_divergence(model_->target_logits(pixels, queries, targets), wanted));
  }
  return at::stack(losses);
}

}  // namespace hijack
