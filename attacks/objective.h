#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "src/base/random.h"
#include "src/base/tensor.h"

namespace hijack {

/// [N,3,H,W] -> N images [1,3,H,W]; undefined, for a model that takes no images -> one undefined image.
inline std::vector<Tensor> images_of(const Tensor& images) {
  return images.defined() ? images.split(1) : std::vector<Tensor>(1);
}

class Objective;

/// The sum over batches of images [N,3,H,W] of what the objective gives for each [N], in their order. Where
/// its images are apart and all of one size, they are measured in one call.
Tensor summed_loss(Objective& objective, const std::vector<Tensor>& batches, int64_t step);

/// Gradients of a loss [N] to what is wanted, undefined where it does not depend on one.
using GradientsOf = std::function<std::vector<Tensor>(const Tensor& loss, const std::vector<Tensor>& wanted)>;

using ObjectiveState = std::map<std::string, Tensor>;

/// The loss to minimize.
class Objective {
 public:
  virtual ~Objective() = default;
  /// image [N,3,H,W] in [0,1], inside an autograd graph -> [N], one value per image, differentiable;
  /// undefined, for a model that takes no images -> [1]. step chooses the mini-batch and random draws, so
  /// that a resumed run sees the same ones.
  virtual Tensor loss(const Tensor& image, int64_t step) = 0;
  /// Whether two calls with one image and different steps give the same value (what APGD needs).
  virtual bool deterministic() const = 0;
  /// The loss by which images of different steps are compared, where no validation contexts do that.
  virtual Tensor comparable_loss(const Tensor& image) {
    comparing(true);
    const Tensor compared = loss(image, 0);
    comparing(false);
    return compared;
  }
  /// Between true and false, `loss` compares images: it is that of no step, nothing is learned from it, and
  /// what steps take a part of (surrogates) is taken whole. Wrappers pass it on.
  virtual void comparing(bool on) { (void)on; }
  /// Whether the loss stays the same under most small changes of the image (it counts successes): where an
  /// estimated gradient is zero, the attack waits at the image for the next draw.
  virtual bool stepwise() const { return false; }

  /// Whether the loss of each image is what it would be alone, wherever it stands among the others: then
  /// several changes of an image may be measured in one call, as images of one batch.
  virtual bool images_apart() const { return false; }

  /// Before `loss` of one of several photos (universal.h), for objectives that compare an image with its own
  /// photo; wrappers pass it on.
  virtual void of_photo(size_t index) { (void)index; }

  // For objectives that change as the attack goes on (cropa.h, surrogate_choice.h).

  /// What else the last loss depends on and wants a gradient to, beside the image: one backward pass gives
  /// both (evaluate.h), and `take` gets them, undefined where the loss did not depend on a leaf.
  virtual std::vector<Tensor> leaves() { return {}; }
  virtual void take(std::span<const Tensor> gradients) { (void)gradients; }
  /// Called once a step has been taken from `image`.
  virtual void after_step(const Tensor& image, int64_t step) { (void)image, (void)step; }
  /// Everything that has to be saved for a resumed run to continue to the same bytes. Restoring an empty
  /// state makes the objective as new.
  virtual ObjectiveState state() const { return {}; }
  virtual void restore(const ObjectiveState& state) { (void)state; }
};

}  // namespace hijack
