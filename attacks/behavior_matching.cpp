#include "attacks/behavior_matching.h"

#include <ATen/ATen.h>

#include <numeric>

#include "src/base/error.h"
#include "src/base/random.h"

namespace hijack {
namespace {

TokenIds target_tokens(const VisionLanguageModel& model, const Behavior& behavior, const Context& context) {
  TokenIds tokens = model.target_ids(behavior.target_for(context));
  if (tokens.empty())
    throw Error("the target of behavior " + behavior.name() + " has no tokens for the context '" +
                context.prompt.substr(0, 80) + "': give another target.");
  if (behavior.ends_reply()) {
    const TokenIds end = model.end_of_reply();
    tokens.insert(tokens.end(), end.begin(), end.end());
  }
  return tokens;
}

/// logits: one [T_i, V] per context. Mean over contexts of the mean over tokens of -log p, in at least
/// float32.
Tensor mean_cross_entropy(const std::vector<Tensor>& logits, const std::vector<TokenIds>& targets) {
  std::vector<TokenId> ids;
  std::vector<double> weights;
  for (const TokenIds& target : targets) {
    ids.insert(ids.end(), target.begin(), target.end());
    weights.insert(weights.end(), target.size(), 1.0 / static_cast<double>(target.size() * targets.size()));
  }
  const Tensor all = at::cat(logits);  // [sum T_i, V]
  const Tensor scores = all.to(at::promote_types(all.scalar_type(), at::kFloat)).log_softmax(-1);
  const Tensor index = at::tensor(ids, at::kLong).to(scores.device()).unsqueeze(1);
  const Tensor weight = at::tensor(weights, at::kDouble).to(scores.options());
  return -scores.gather(1, index).squeeze(1).mul(weight).sum();
}

}  // namespace

BehaviorMatching::BehaviorMatching(std::shared_ptr<const VisionLanguageModel> model,
                                   std::shared_ptr<const Behavior> behavior, std::vector<Context> contexts,
                                   int64_t batch, uint64_t seed)
    : model_(std::move(model)), contexts_(std::move(contexts)), batch_(batch), seed_(seed) {
  if (contexts_.empty())
    throw Error("there are no contexts to optimize on: give at least one training context.");
  if (batch_ < 0) throw Error("the number of contexts per step must be at least 0 (0 = all of them).");
  for (const Context& context : contexts_) targets_.push_back(target_tokens(*model_, *behavior, context));
}

bool BehaviorMatching::deterministic() const {
  return batch_ == 0 || batch_ >= static_cast<int64_t>(contexts_.size());
}

std::vector<size_t> BehaviorMatching::batch_at(int64_t step) const {
  std::vector<size_t> order(contexts_.size());
  std::iota(order.begin(), order.end(), size_t{0});
  if (deterministic()) return order;
  const int64_t per_epoch = static_cast<int64_t>(contexts_.size()) / batch_;
  Random(seed_).fork("context batches", static_cast<uint64_t>(step / per_epoch)).shuffle(order);
  const auto first = order.begin() + (step % per_epoch) * batch_;
  return {first, first + batch_};
}

Tensor BehaviorMatching::loss(const Tensor& image, int64_t step) {
  std::vector<Context> contexts;
  std::vector<TokenIds> targets;
  for (const size_t i : batch_at(step)) {
    contexts.push_back(contexts_[i]);
    targets.push_back(targets_[i]);
  }
  std::vector<Tensor> losses;
  for (int64_t n = 0; n < image.size(0); ++n) {
    const Pixels pixels = model_->preprocess(image.narrow(0, n, 1));
    losses.push_back(mean_cross_entropy(model_->target_logits(pixels, contexts, targets), targets));
  }
  return at::stack(losses);  // [N]
}

}  // namespace hijack
