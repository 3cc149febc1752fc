#pragma once
#include <string>
#include <variant>
#include <vector>

#include "src/base/random.h"
#include "src/base/tensor.h"

// Images [1,3,H,W] in [0,1]. A constraint is a closed set of numbers; with an origin it is the allowed set.

namespace hijack {

struct LinfBall {
  double epsilon = 8.0 / 255;  ///< in [0,1]
};
struct Patch {  ///< a square of `size` pixels at (top, left); everything inside it is free
  int64_t size = 0;
  int64_t top = 0;
  int64_t left = 0;
};
struct Box {};  ///< unconstrained: [0,1]

using Constraint = std::variant<LinfBall, Patch, Box>;

/// Nearest allowed point (Euclidean). Outside any autograd graph.
Tensor project(const Constraint& constraint, const Tensor& image, const Tensor& origin);

/// Nearest allowed point on the lattice: round to nearest, where that leaves the set round toward the origin.
/// `origin` must be on the lattice.
Tensor project_to_lattice(const Constraint& constraint, const Tensor& image, const Tensor& origin);

/// A uniform random point of the set around the origin.
Tensor random_point(const Constraint& constraint, const Tensor& origin, Random& random);

/// The null control: random signs at full budget (ball), random pixels (patch, box).
Tensor random_noise(const Constraint& constraint, const Tensor& origin, Random& random);

/// How far `image` is from `origin`, and whether that is allowed. Measured on the reloaded file. Throws Error
/// when the two have different sizes.
struct Budget {
  double max_difference_255 = 0;  ///< largest absolute difference in steps of 1/255
  double changed_outside = 0;     ///< number of pixels changed where the constraint allows none
  bool respected = true;
};
Budget measure_budget(const Constraint& constraint, const Tensor& image, const Tensor& origin);

/// A length scale for step sizes: epsilon for balls, 1 for patch and box.
double radius(const Constraint& constraint);
std::string describe(const Constraint& constraint);

struct ConstraintConfig {
  std::string name = "linf";
  std::string epsilon = "8/255";
  int64_t patch_size = 24;
  int64_t patch_top = 0;
  int64_t patch_left = 0;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("constraint", name, "where the image may change: linf, patch or box (unconstrained)");
    field("epsilon", epsilon, "l_inf radius with its unit, as a fraction of 255 (8/255)");
    field("patch_size", patch_size, "side of the square patch in model-input pixels");
    field("patch_top", patch_top, "first row of the patch");
    field("patch_left", patch_left, "first column of the patch");
  }
};

/// Throws Error for an unknown name, an epsilon without unit or out of range, a patch outside the image.
Constraint make_constraint(const ConstraintConfig& config, int64_t height, int64_t width);
std::vector<std::string> constraint_names();

/// "8/255" -> 0.0314, also "0.5/255". "0.03" and "8" have no unit and are refused with the way to write them.
double parse_epsilon(const std::string& text);

}  // namespace hijack
