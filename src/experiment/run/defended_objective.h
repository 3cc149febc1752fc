#pragma once
#include <memory>

#include "attacks/objective_decorator.h"
#include "defenses/pipeline.h"
#include "src/experiment/plan/defense_config.h"

// Attacks that know the defenses (Athalye et al. 2018; Tramer et al. 2020). The attack and the defense
// libraries do not know each other: they meet here.

namespace hijack {

/// Another objective behind a stack of defenses: each image goes through the surrogates of all stages (the
/// exact gradient, straight-through, or a random draw), and detectors that score images add
/// weight * max(0, score / threshold - 0.8). Random stages are drawn `draws` times per step and the losses
/// averaged (expectation over transformation), fresh draws at each step: a function of (seed, step). With
/// fixed_draws they stay those of step 0, for optimizers that compare losses between steps.
class DefendedObjective : public ObjectiveDecorator {
 public:
  DefendedObjective(std::unique_ptr<Objective> inner, DefenseStack stack, const DefenseConfig& config,
                    uint64_t seed, bool fixed_draws = false);
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return inner_->deterministic() && (!random_ || fixed_draws_); }
  bool images_apart() const override { return inner_->images_apart() && !random_; }

 private:
  /// The image as the model sees it, and what detectors add to the loss. image [1,3,H,W].
  struct Passed {
    Tensor image;
    Tensor penalty;  ///< scalar; undefined = none
  };
  Passed pass(const Tensor& image, Random& random) const;

  DefenseStack stack_;
  bool random_;
  int64_t draws_;
  double weight_;
  uint64_t seed_;
  bool fixed_draws_;
};

/// What a stack lets an adaptive attacker work on.
struct Handles {
  /// It changes or scores images, changes the prompts that the image must work with, or the model's decoding.
  bool image = false;
  bool text = false;  ///< it changes or scores prompts
};
/// image [1,3,H,W]; queries: some prompts to try it on.
Handles handles_of(const DefenseStack& stack, const Tensor& image, const std::vector<Query>& queries);

}  // namespace hijack
