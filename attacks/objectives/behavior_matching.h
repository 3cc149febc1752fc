#pragma once
#include <memory>
#include <vector>

#include "attacks/asked_contexts.h"
#include "attacks/behavior.h"
#include "attacks/objectives/context_batches.h"
#include "attacks/objectives/divided.h"
#include "models/vision_language_model.h"

namespace hijack {

/// How well a batch of contexts must say its targets.
struct MatchingLoss {
  bool margin = false;  ///< the margin of Carlini & Wagner (2017) instead of cross-entropy
  double ahead = 1;     ///< with margin: by how many logits each token must lead
  /// Of how many times as many contexts a step takes those with the largest loss (online hard example mining,
  /// Shrivastava et al. 2016); the others cost a forward pass and get no gradient. 1 = contexts as drawn.
  int64_t hardest_of = 1;
};

/// Behavior matching (Bailey et al. 2023, eq. 1): mean over a batch of contexts of the teacher-forced
/// cross-entropy (nats per target token, end token included where the behavior is the whole reply) of
/// B(context), or of its margin, after what the model is asked in the context's place. One vision and prefix
/// pass per step, over several images together where the model can.
class BehaviorMatching : public MeanOverContexts {
 public:
  /// batch: contexts per step (context_batches.h), not 0 where the hardest are taken. Where a context has
  /// several targets, each step draws one, a function of (seed, step). Throws Error when there are no
  /// contexts or a target has no tokens.
  BehaviorMatching(std::shared_ptr<const VisionLanguageModel> model, std::shared_ptr<const Behavior> behavior,
                   AskedContexts contexts, int64_t batch, uint64_t seed, MatchingLoss loss = {});
  /// image [N,3,H,W] -> [N] float32 (float64 for a float64 model). Throws Error when a prompt and its target
  /// together do not fit into the model's context window.
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return batches_.all() && !drawn_; }
  bool images_apart() const override { return true; }
  /// The hardest are those of all: such a loss is not divided.
  size_t contexts_of_step() const override;

 private:
  /// A step's contexts, each with a target.
  struct Batch {
    std::vector<Query> queries = {};
    std::vector<TokenIds> targets = {};
  };
  Batch drawn(int64_t step) const;
  Batch hardest(const Batch& drawn, const Pixels& pixels) const;
  Tensor loss_of(const std::vector<Tensor>& logits, const std::vector<TokenIds>& targets) const;

  std::shared_ptr<const VisionLanguageModel> model_;
  std::vector<Query> asked_;                    ///< per context
  std::vector<std::vector<TokenIds>> targets_;  ///< per context, of which each step draws one
  bool drawn_ = false;                          ///< some context has several
  ContextBatches batches_;                      ///< of which a step takes the hardest batch_size_
  size_t batch_size_;
  MatchingLoss kind_;
  uint64_t seed_;
};

/// The target's tokens, with the end of the reply where the behavior is the whole reply. Throws Error when
/// there are none, or when the tokenizer cannot produce the text.
TokenIds target_tokens(const VisionLanguageModel& model, const Behavior& behavior, const Context& context);
/// The same for each of targets_for(context).
std::vector<TokenIds> all_target_tokens(const VisionLanguageModel& model, const Behavior& behavior,
                                        const Context& context);

}  // namespace hijack
