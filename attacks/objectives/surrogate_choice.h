#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "attacks/objective.h"

namespace hijack {

/// Which of the surrogates a step works on.
struct SurrogateChoiceConfig {
  int64_t per_step = 0;
  std::string rule = "all";
  int64_t every = 1;
  double exploration = 2;
  double memory = .01;

  /// Whether a step works on some of `surrogates` only.
  bool chooses(size_t surrogates) const {
    return rule != "all" && per_step > 0 && static_cast<uint64_t>(per_step) < surrogates;
  }

  template <class Visitor>
  void visit(Visitor&& field) {
    field("surrogates_per_step", per_step,
          "so many of the surrogates are run in a step, chosen by --surrogate-choice; 0, or as many as there "
          "are: all");
    field("surrogate_choice", rule,
          "all, random, or ucb: a bandit that prefers surrogates which the image deceives least, and those "
          "seldom taken (X-Transfer)");
    field("surrogate_choice_every", every, "steps that a choice of surrogates stays for");
    field("ucb_exploration", exploration, "ucb: how much seldom taken surrogates are preferred (rho)");
    field("ucb_memory", memory,
          "ucb: weight of a surrogate's newest loss in the moving mean of its losses, which begins at 0");
  }
};

/// Throws Error for numbers out of range, an unknown rule, and a rule and a number that contradict each
/// other.
void check(const SurrogateChoiceConfig& config);

/// k of n surrogates, again every few steps: at random, or by the bandit of X-Transfer (Huang et al. 2025):
/// those with the largest
///     Q_i + sqrt(rho ln(t) / n_i),   n_i the steps that i took part in, t the sum of them over all,
/// and after each of its steps Q_i <- (1 - m) Q_i + m r_i, from Q_i = 0. r_i is the loss of surrogate i, less
/// what it is at a cosine of 0: the cosine that the authors minimize. So those that are deceived least come
/// back. Surrogates that were never taken go first; while more than k of them are left, k are drawn. Read in
/// the authors' code (XTransferBench@33007c3, xtransfer/search/mab.py, policy UCB with EMA), whose constants
/// are k = 16 of n = 64, rho = 2, m = 0.01 and a choice every 5 steps; the text of the paper could not be
/// read, so that its equation, and whether it says the same, is not verified. Of equal values the surrogate
/// that is named first is taken (NumPy's order there is not defined).
class SurrogateChoice {
 public:
  SurrogateChoice(const SurrogateChoiceConfig& config, size_t surrogates, uint64_t seed);

  /// Whether every step takes all of them; then nothing is learned, and there is no state.
  bool all() const { return all_; }
  /// Those of the present step, in ascending order. A function of seed and state.
  const std::vector<size_t>& current();
  /// A loss of one of them in the present step, less what it is at a cosine of 0: [N] detached, of N images.
  /// Of several the mean counts.
  void learn(size_t surrogate, const Tensor& loss);
  /// The step has been taken.
  void end_step();

  ObjectiveState state() const;
  /// Throws Error for a state of other surrogates.
  void restore(const ObjectiveState& state);

 private:
  std::vector<size_t> drawn_from(std::vector<size_t> candidates) const;
  std::vector<size_t> by_bandit() const;
  void restart();

  SurrogateChoiceConfig config_;
  bool all_;
  size_t count_;  ///< in a step
  uint64_t seed_;
  std::vector<size_t> current_;  ///< empty = to be chosen
  int64_t choices_ = 0;          ///< made so far, the current one included
  int64_t held_ = 0;             ///< steps that the current one was used for
  std::vector<int64_t> taken_;   ///< n_i
  std::vector<double> mean_;     ///< Q_i
  struct Losses {
    Tensor sum;  ///< scalar
    int64_t count = 0;
  };
  std::vector<Losses> losses_;  ///< of the present step, per surrogate
};

/// Steps that each surrogate took part in, as the state of an objective with a choice has them; empty for any
/// other.
std::vector<int64_t> steps_of_surrogates(const ObjectiveState& state);

}  // namespace hijack
