#pragma once
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "attacks/behavior.h"
#include "models/vision_language_model.h"

namespace hijack {

struct GcgConfig {
  int64_t tokens = 16;
  int64_t steps = 60;
  int64_t candidates = 48;
  int64_t top_k = 64;
  int64_t contexts = 6;
  double perplexity_weight = 0;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("suffix_tokens", tokens,
          "length of the suffix (in the prompt it may be cut into one more or less)");
    field("suffix_steps", steps, "steps of its search (500 as published); 0 = plain gibberish");
    field("suffix_candidates", candidates, "token swaps measured per step (512 as published)");
    field("suffix_top_k", top_k,
          "swaps considered per place, best by gradient (256 as published); 0 = any token (random search)");
    field("suffix_contexts", contexts,
          "training contexts the suffix must work on, all from the first step on; 0 = all there are");
    field("suffix_perplexity", perplexity_weight,
          "weight of the suffixed prompts' perplexity against the target's loss, from 0 to 1 (adaptive GCG)");
  }
};

struct GcgHooks {
  std::function<void(int64_t step, double loss)> after_step = {};
  std::stop_token stop = {};  ///< returns the best so far
  /// What the user should know of this search, once: that swaps cannot be ranked by the gradient.
  std::function<void(const std::string&)> note = {};
  /// What the model is asked in place of the suffixed queries, one for each: an attack through a defense that
  /// rewrites prompts. Empty = the queries themselves. The gradient that ranks swaps stays that of the
  /// queries.
  std::function<std::vector<Query>(const std::vector<Query>&)> seen = {};
  /// Whose perplexity of the prompts joins the loss, the mean of several; empty = the attacked model's own
  /// decoder.
  std::vector<std::shared_ptr<const LanguageModel>> scorers = {};
};

struct GcgResult {
  std::string suffix;          ///< the best found
  double loss = 0;             ///< its loss
  std::vector<double> losses;  ///< of the best candidate of each step
};

/// Greedy coordinate gradient (Zou et al. 2023, algorithm 1): a suffix that steers the model by the prompt
/// instead of the image. Each step takes the gradient of the loss to the suffix's tokens as they stand in the
/// prompts (placed_suffix.h), keeps the top_k swaps of every place that should lower it most, draws
/// candidates of one swap each, place and token uniformly, drops those whose text is tokenized otherwise
/// where it stands, measures the rest on all contexts over the shared image prefix, and goes on from the best
/// of them, which may be worse than before; returned is the best of all steps. loss = (1 - a) * mean
/// cross-entropy of behavior's targets + a * mean NLL of the suffixed prompts, a = perplexity_weight (Jain et
/// al. 2023, adaptive). Departures: of several contexts the gradients are averaged as they are, not each
/// divided by its norm, and all take part from the first step on; the perplexity term chooses among
/// candidates only, not the swaps; tokens are printable ASCII. Where tokens cannot be ranked, swaps are drawn
/// from all, and hooks.note says so. image [1,3,H,W] is what the model sees meanwhile. The search begins at
/// `start`, at gibberish where that is empty. A pure function of its arguments. Throws Error for no contexts
/// and numbers out of range.
GcgResult gcg_suffix(const VisionLanguageModel& model, const Tensor& image, std::span<const Context> contexts,
                     const Behavior& behavior, const GcgConfig& config, uint64_t seed,
                     const GcgHooks& hooks = {}, const std::string& start = {});

/// The loss that the search lowers, for one suffix.
double suffix_loss(const VisionLanguageModel& model, const Pixels& pixels, std::span<const Context> contexts,
                   const Behavior& behavior, const std::string& suffix, double perplexity_weight = 0);

}  // namespace hijack
