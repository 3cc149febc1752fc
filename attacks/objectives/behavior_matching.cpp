#include "attacks/objectives/behavior_matching.h"

#include "attacks/objectives/token_losses.h"
#include "src/base/error.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

std::string without_space(const std::string& text) {
  std::string result;
  std::copy_if(text.begin(), text.end(), std::back_inserter(result),
               [](char c) { return c != ' ' && c != '\n' && c != '\r' && c != '\t'; });
  return result;
}

TokenIds tokens_of(const VisionLanguageModel& model, const Behavior& behavior, const Context& context,
                   const std::string& target) {
  TokenIds tokens = model.target_ids(target);
  const std::string shown = context.prompt.substr(0, 80);
  if (tokens.empty())
    throw Error("the target of behavior " + behavior.name() + " has no tokens for the context '" + shown +
                "': give another target.");
  // unknown tokens would be matched, but never said; special ones do not stand in replies
  if (without_space(model.tokenizer().decode(tokens, /*skip_special_tokens=*/true)) != without_space(target))
    throw Error("the target of behavior " + behavior.name() + " for the context '" + shown +
                "' has characters that this model's tokenizer cannot produce, or special tokens, which no "
                "reply shows: give another target.");
  if (behavior.ends_reply(context)) {
    const TokenIds end = model.end_of_reply();
    tokens.insert(tokens.end(), end.begin(), end.end());
  }
  return tokens;
}

}  // namespace

TokenIds target_tokens(const VisionLanguageModel& model, const Behavior& behavior, const Context& context) {
  return tokens_of(model, behavior, context, behavior.target_for(context));
}

std::vector<TokenIds> all_target_tokens(const VisionLanguageModel& model, const Behavior& behavior,
                                        const Context& context) {
  std::vector<TokenIds> all;
  for (const std::string& target : behavior.targets_for(context))
    all.push_back(tokens_of(model, behavior, context, target));
  return all;
}

BehaviorMatching::BehaviorMatching(std::shared_ptr<const VisionLanguageModel> model,
                                   std::shared_ptr<const Behavior> behavior, AskedContexts contexts,
                                   int64_t batch, uint64_t seed, MatchingLoss loss)
    : model_(std::move(model)),
      asked_(std::move(contexts.asked)),
      batches_(asked_.size(), batch * loss.hardest_of, seed),
      batch_size_(static_cast<size_t>(batch)),
      kind_(loss),
      seed_(seed) {
  for (const Context& context : contexts.contexts) {
    targets_.push_back(all_target_tokens(*model_, *behavior, context));
    drawn_ = drawn_ || targets_.back().size() > 1;
  }
}

BehaviorMatching::Batch BehaviorMatching::drawn(int64_t step) const {
  Batch batch;
  Random random = Random(seed_).fork("target of a step", static_cast<uint64_t>(step));
  for (const size_t i : batches_.at(step)) {
    batch.queries.push_back(asked_[i]);
    batch.targets.push_back(drawn_ ? random.pick(targets_[i]) : targets_[i].front());
  }
  return {own(std::move(batch.queries)), own(std::move(batch.targets))};
}

Tensor BehaviorMatching::loss_of(const std::vector<Tensor>& logits,
                                 const std::vector<TokenIds>& targets) const {
  return kind_.margin ? mean_margin(logits, targets, kind_.ahead) : mean_cross_entropy(logits, targets);
}

size_t BehaviorMatching::contexts_of_step() const {
  TORCH_CHECK(kind_.hardest_of == 1, "the hardest contexts are chosen by one process");
  return batches_.of_step();
}

/// In the order in which they were drawn.
BehaviorMatching::Batch BehaviorMatching::hardest(const Batch& drawn, const Pixels& pixels) const {
  if (kind_.hardest_of == 1 || drawn.queries.size() <= batch_size_) return drawn;
  const at::NoGradGuard no_gradients;
  const std::vector<Tensor> logits = model_->target_logits(pixels, drawn.queries, drawn.targets);
  std::vector<Tensor> each;
  for (size_t i = 0; i < logits.size(); ++i) each.push_back(loss_of({logits[i]}, {drawn.targets[i]}));
  std::vector<std::pair<double, size_t>> losses;
  for (const double loss : read_numbers(at::stack(each))) losses.emplace_back(-loss, losses.size());
  std::sort(losses.begin(), losses.end());
  losses.resize(batch_size_);
  std::sort(losses.begin(), losses.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  Batch batch;
  for (const auto& [loss, i] : losses) {
    batch.queries.push_back(drawn.queries[i]);
    batch.targets.push_back(drawn.targets[i]);
  }
  return batch;
}

Tensor BehaviorMatching::loss(const Tensor& image, int64_t step) {
  const Batch batch = drawn(step);
  std::vector<ImageQueries> images;
  for (const Tensor& one : images_of(image)) {
    const Pixels pixels = model_->preprocess(one);
    const Batch own = hardest(batch, pixels);
    images.push_back({pixels, own.queries, own.targets});
  }
  std::vector<Tensor> losses;
  const auto logits = model_->logits_of_images(images);
  for (size_t i = 0; i < images.size(); ++i) losses.push_back(loss_of(logits[i], images[i].targets));
  return at::stack(losses);  // [N]
}

}  // namespace hijack
