#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "attacks/constraint.h"
#include "src/base/tensor.h"

// Image-scaling attacks (Xiao et al. 2019, "Seeing is not believing"; Quiring et al. 2020): a picture that
// looks like the origin at full size and is another one after the reader's own resize. Images [1,3,H,W] in
// [0,1].

namespace hijack {

struct ScalingConfig {
  std::string picture = {};
  std::string target_size = {};
  std::string filter = "bilinear";
  std::string epsilon = {};
  double tolerance = 0;
  int64_t steps = 200;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("scaling_picture", picture,
          "scaling: what the photo becomes when it is resized; empty = --text (an order to say the target) "
          "on a plain ground");
    field("target_size", target_size,
          "scaling: the size that the pipeline in front of the model works at (512, or 640x480); empty = the "
          "model's own preprocessing");
    field("filter", filter,
          "scaling, with --target-size: how the pipeline resizes; nearest, bilinear, bicubic or area as "
          "OpenCV, pillow-nearest, pillow-box, pillow-bilinear, pillow-bicubic or pillow-lanczos");
    field(
        "scaling_epsilon", epsilon,
        "scaling: largest visible change of a pixel with its unit (8/255); empty = whatever it takes, which "
        "the row says");
    field("scaling_tolerance", tolerance,
          "scaling: how far each pixel that is read may be from the picture, in 1/255; more leaves the photo "
          "closer to itself");
    field("scaling_steps", steps, "scaling: steps of projected least squares");
  }
};

/// Throws Error for what cannot be parsed and numbers out of range.
void check_scaling(const ScalingConfig& config);

/// How the photo is read: differentiable and linear but for rounding. The result may have any shape, and any
/// affine scale (a model's normalization).
using PhotoReader = std::function<Tensor(const Tensor& image)>;

struct ScalingHooks {
  /// error: root mean square of what is read beyond the tolerance, in 1/255.
  std::function<void(int64_t step, double error)> after_step = {};
  std::stop_token stop = {};
};
struct ScalingResult {
  Tensor image;                ///< on the lattice
  std::vector<double> errors;  ///< as after_step gets them
  int64_t best_step = 0;
};

/// What the photo may become: the box, or the ball of `epsilon`.
Constraint scaling_budget(const ScalingConfig& config);

/// Projected least squares: minimizes |read(x) - wanted|^2 over the box [0,1] and, with an epsilon, the ball
/// around the origin, by spectral projected gradients (Barzilai and Borwein 1988, Birgin et al. 2000) from
/// the origin. Without bounds that are hit the steps stay in origin + range of the reader's transpose, so the
/// solution found is the one nearest to the origin. Errors within the tolerance do not count. No network is
/// asked: the reader is a resize. wanted: shaped as read(origin). nullopt when stopped.
std::optional<ScalingResult> scaling_attack(const Tensor& origin, const Tensor& wanted,
                                            const PhotoReader& read, const ScalingConfig& config,
                                            const ScalingHooks& hooks = {});

/// The control: the change of the attack with its pixels in another order, on the lattice.
Tensor shuffled_change(const Tensor& image, const Tensor& origin, uint64_t seed);

}  // namespace hijack
