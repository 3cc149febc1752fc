#pragma once
#include <string>
#include <variant>
#include <vector>

#include "src/base/random.h"
#include "src/base/tensor.h"

// Images [N,3,H,W] in [0,1]. A constraint is a closed set of numbers; with an origin it is the allowed set.

namespace hijack {

struct LinfBall {
  double epsilon = 8.0 / 255;  ///< in [0,1]
};
struct L2Ball {       ///< Euclidean norm over all pixels and channels of one image
  double radius = 2;  ///< in pixel values of [0,1]; a change of e everywhere has the norm e * sqrt(3HW)
};
struct Patch {  ///< a square of `size` pixels at (top, left); everything inside it is free
  int64_t size = 0;
  int64_t top = 0;
  int64_t left = 0;
};
/// A patch that works wherever it is put (Bailey et al. 2023, "moving patch"). The attack works on an image
/// with the patch at (top, left), where it is a Patch; attacks/wrappers/moving_patch.h moves it to another
/// place before a model sees it. A finished image may have the patch anywhere: its budget is one square of
/// `size`.
struct MovingPatch {
  int64_t size = 0;
  int64_t top = 0;
  int64_t left = 0;
};
struct Border {  ///< a frame of `width` pixels along the four sides; everything in it is free
  int64_t width = 0;
};
struct Mask {             ///< chosen pixels are free
  Tensor free_pixels;     ///< [1,1,H,W] bool
  std::string name = {};  ///< where it comes from, for describe()
};
struct Box {};  ///< unconstrained: [0,1]

using Constraint = std::variant<LinfBall, L2Ball, Patch, MovingPatch, Border, Mask, Box>;

/// Nearest allowed point (Euclidean). Outside any autograd graph.
Tensor project(const Constraint& constraint, const Tensor& image, const Tensor& origin);

/// Nearest allowed point on the lattice: round to nearest, where that leaves the set round toward the origin.
/// `origin` must be on the lattice.
Tensor project_to_lattice(const Constraint& constraint, const Tensor& image, const Tensor& origin);

/// A uniform random point of the set around the origin (l2: of the ball, then projected into [0,1]).
Tensor random_point(const Constraint& constraint, const Tensor& origin, Random& random);

/// The null control on the lattice: random signs at full budget (balls), random pixels (where they are free).
Tensor random_noise(const Constraint& constraint, const Tensor& origin, Random& random);

/// How far `image` is from `origin`, and whether that is allowed. Measured on the reloaded file. Throws Error
/// when the two have different sizes.
struct Budget {
  double max_difference_255 = 0;  ///< largest absolute difference in steps of 1/255
  double changed_outside = 0;     ///< number of pixels changed where the constraint allows none
  bool respected = true;
  double l2 = 0;  ///< Euclidean norm of the difference, the largest over the batch
};
Budget measure_budget(const Constraint& constraint, const Tensor& image, const Tensor& origin);

/// A length scale for step sizes: the radius of balls, 1 where pixels are free.
double radius(const Constraint& constraint);
std::string describe(const Constraint& constraint);

struct ConstraintConfig {
  std::string name = "linf";
  std::string epsilon = "8/255";
  double l2_radius = 2;
  int64_t patch_size = 24;
  int64_t patch_top = 0;
  int64_t patch_left = 0;
  int64_t border_width = 4;
  std::string mask = {};

  template <class Visitor>
  void visit(Visitor&& field) {
    field("constraint", name,
          "where the image may change: linf, l2, patch, moving_patch, border, mask or box (unconstrained)");
    field.each("epsilon", epsilon,
               "linf: radius with its unit, as a fraction of 255; several (4/255,8/255) make a trial each");
    field("l2_radius", l2_radius,
          "l2: Euclidean radius over the whole image, pixel values running from 0 to 1 (a plain number; "
          "8/255 at every value of a 64x64 image is 3.5)");
    field("patch_size", patch_size, "side of the square patch in model-input pixels");
    field("patch_top", patch_top, "first row of the patch");
    field("patch_left", patch_left, "first column of the patch");
    field("border_width", border_width, "border: width of the frame in model-input pixels");
    field("mask", mask, "mask: PNG of the model's input size; pixels that are not black are free");
  }
};

/// What the config says, before the size of the image is known. Reads the mask's file. Throws Error for an
/// unknown name, an epsilon without unit or out of range, a patch or border without pixels, and a mask that
/// is missing or frees nothing.
Constraint read_constraint(const ConstraintConfig& config);

/// Throws Error when a patch or border does not lie inside an image of this size, or a mask has another one.
void check_fits(const Constraint& constraint, int64_t height, int64_t width);

/// Both of the above.
Constraint make_constraint(const ConstraintConfig& config, int64_t height, int64_t width);
std::vector<std::string> constraint_names();

/// Short name with its size, for file names: "linf-8", "l2-2.5", "patch-24", "box".
std::string constraint_label(const ConstraintConfig& config);

/// "8/255" -> 0.0314, also "0.5/255". "0.03" and "8" have no unit and are refused with the way to write them.
double parse_epsilon(const std::string& text);

}  // namespace hijack
