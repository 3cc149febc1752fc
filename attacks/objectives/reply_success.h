#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attacks/asked_contexts.h"
#include "attacks/behavior.h"
#include "attacks/objective.h"
#include "attacks/objectives/context_batches.h"

namespace hijack {

/// The replies of a model to queries about one image [1,3,H,W], in order.
using AskReplies = std::function<std::vector<Generated>(const Tensor& image, const std::vector<Query>&)>;

/// How near a reply comes to a target, in [0,1], as far as the reply alone can tell: the mean of the share of
/// the target that the reply begins with (longest common beginning over the target's length, in bytes,
/// without white space and, in ASCII, without case), and of the share of the target's words that stand
/// anywhere in the reply, each as often. No measure of how likely the target is: most small changes of an
/// image leave it as it is.
double closeness(const std::string& reply, const std::string& target);

/// How often a model that shows nothing but its replies does what is wanted: of n contexts of a step
///     1/n sum_i (1 - s_i + (1 - g_i) / (2n)),
/// s_i = 1 where the reply to context i succeeds (Behavior::succeeded), else 0; g_i = 1 there, and elsewhere
/// the closeness to the nearest of the context's targets, or one less it where the objective leads away from
/// them. So one success more counts for more than everything else, and among equals the replies that are
/// nearer. In [0, 1 + 1/(2n)]; without gradient, and constant but for jumps.
class ReplySuccess : public Objective {
 public:
  struct Options {
    int64_t batch = 0;  ///< contexts of a step (context_batches.h)
    uint64_t seed = 0;
    /// Of how many times as many a step counts those with the largest loss; all of them are asked.
    int64_t hardest_of = 1;
    bool away = false;  ///< targets are what the replies shall no longer be (untargeted)
  };
  /// Throws Error when there are no contexts.
  ReplySuccess(AskReplies ask, std::shared_ptr<const Behavior> behavior, AskedContexts contexts,
               const Options& options);
  /// image [N,3,H,W] -> [N] float32. Asks a reply for each image and context of the step.
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return batches_.all(); }
  bool images_apart() const override { return true; }
  bool stepwise() const override { return true; }

 private:
  double loss_of(const std::vector<size_t>& drawn, const std::vector<Generated>& replies) const;

  AskReplies ask_;
  std::shared_ptr<const Behavior> behavior_;
  AskedContexts contexts_;
  Options options_;
  ContextBatches batches_;
};

}  // namespace hijack
