#pragma once
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "attacks/constraint.h"
#include "src/base/tensor.h"

namespace hijack {

/// Everything a step has measured: optimizers that compare losses (APGD) and those that only follow gradients
/// share one interface.
struct Evaluation {
  Tensor image;          ///< [N,3,H,W] where it was measured
  Tensor loss;           ///< [N]
  Tensor gradient;       ///< like image; undefined for optimizers that do not use it
  double mean_loss = 0;  ///< over the N images, on the processor
};

using OptimizerState = std::map<std::string, Tensor>;

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// The next point, inside the set. step counts from 0.
  virtual Tensor next(const Evaluation& now, const Constraint& constraint, const Tensor& origin,
                      int64_t step) = 0;
  virtual bool needs_deterministic_objective() const { return false; }
  /// False for black boxes, which never look at the gradient.
  virtual bool uses_gradient() const { return true; }
  /// What to validate and keep: `image`, the point just reached, unless the optimizer knows a better one.
  virtual Tensor candidate(const Tensor& image) const { return image; }
  /// Everything that has to be saved for a resumed run to continue to the same bytes. Restoring an empty
  /// state makes the optimizer as new.
  virtual OptimizerState state() const = 0;
  virtual void restore(const OptimizerState& state) = 0;
};

struct OptimizerConfig {
  std::string name = "pgd";
  int64_t steps = 300;
  double step_size = 0;  ///< 0 = the optimizer's own default for the constraint
  double momentum = 0.9;
  double final_step = 0.1;
  double apgd_alpha = 2;
  double clip_norm = 20;
  double cwa_inner = 0;
  double square_share = 0.8;
  int64_t models = 1;  ///< of the ensemble, for cwa; the trial's, not a field of its own
  uint64_t seed = 0;   ///< of optimizers that draw; the trial's seed, not a field of its own

  template <class Visitor>
  void visit(Visitor&& field) {
    field(
        "optimizer", name,
        "pgd (sign steps with momentum), apgd (steps that adapt; balls and --batch 0 only), adam, sgd "
        "(gradient clipped, Bailey et al. 2023), square (black box; l_inf and --batch 0 only) or cwa (common "
        "weakness of an --ensemble)");
    field("steps", steps, "optimization steps");
    field("step_size", step_size,
          "step in [0,1] pixel units, for pgd in an l2 ball the step's l2 norm; 0 = a default that fits the "
          "constraint");
    field("momentum", momentum,
          "pgd, cwa: decay of the accumulated gradients, from 0 to 1 (1 in MI-FGSM and MI-CWA)");
    field("final_step", final_step,
          "pgd: last step as a share of the first, linear in between; 1 = constant");
    field("apgd_alpha", apgd_alpha, "apgd: first step as a multiple of the radius");
    field("clip_norm", clip_norm, "sgd: largest l2 norm of the gradient");
    field(
        "cwa_inner", cwa_inner,
        "cwa: step along each model's accumulated gradient (root mean square over the values; in an l2 ball "
        "its l2 norm); 0 = 0.644 in an l_inf ball (the 250 over 224 x 224 pixels of the authors' code), else "
        "step_size");
    field("square_share", square_share,
          "square: share of the pixels in the first square (0.05 as published for ImageNet, 0.8 in "
          "AutoAttack)");
  }
};

/// Throws Error for an unknown name, numbers out of range, and an optimizer that makes no sense with the
/// constraint (with the reason).
std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config, const Constraint& constraint);
std::vector<std::string> optimizer_names();

}  // namespace hijack
