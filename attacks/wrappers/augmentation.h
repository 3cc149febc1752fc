#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "attacks/objective_decorator.h"
#include "attacks/wrappers/templates.h"

namespace hijack {

struct AugmentationConfig {
  std::vector<std::string> names = {};
  std::string templates = {};
  int64_t draws = 1;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("augment", names,
          "random change of the image before each loss, in the order given: crop=0.8 (window of at least "
          "that share of each side, resized back), flip, noise=8/255 (standard deviation), resize_pad=0.9 "
          "(input diversity), resize=0.5 (made smaller by at least that share and large again), jpeg=50 "
          "(compression of at least that quality), spectrum=0.5 (noise of 16/255, then the cosine transform "
          "times 1 +- up to that share, SSA); several by repeating the flag");
    field(
        "templates", templates,
        "put each context of a step into a random chat: JSONL file of `system` texts and `earlier` turns to "
        "draw from, or `shipped`; empty = contexts as they are");
    field("draws", draws, "augmentations drawn per step, gradients averaged");
  }
  bool any() const { return !names.empty() || !templates.empty(); }
};

/// One random change, differentiable and of the same size. [1,3,H,W] in [0,1] -> [1,3,H,W] in [0,1].
using Augmentation = std::function<Tensor(const Tensor& image, Random& random)>;

/// "crop=0.8" -> crop. Throws Error for unknown names (naming the nearest) and values out of range.
Augmentation parse_augmentation(const std::string& text);
std::vector<std::string> augmentation_names();

/// Expectation over transformations (Athalye et al. 2018): the mean of another objective over `draws` random
/// augmentations of the image, and of the chats around the contexts, fresh ones at each step, a function of
/// (seed, step).
class Augmented : public ObjectiveDecorator {
 public:
  /// templated: the models of `inner` whose chats are drawn (config.templates names their file).
  Augmented(std::unique_ptr<Objective> inner, const AugmentationConfig& config, uint64_t seed,
            std::vector<std::shared_ptr<TemplatedModel>> templated = {});
  Tensor loss(const Tensor& image, int64_t step) override;
  bool deterministic() const override { return false; }

 private:
  std::vector<Augmentation> augmentations_;
  std::vector<std::shared_ptr<TemplatedModel>> templated_;
  int64_t draws_;
  uint64_t seed_;
};

}  // namespace hijack
