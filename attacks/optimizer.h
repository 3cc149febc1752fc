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
  Tensor image;     ///< [N,3,H,W] where it was measured
  Tensor loss;      ///< [N]
  Tensor gradient;  ///< like image
};

using OptimizerState = std::map<std::string, Tensor>;

class Optimizer {
 public:
  virtual ~Optimizer() = default;
  /// The next point, inside the set. step counts from 0.
  virtual Tensor next(const Evaluation& now, const Constraint& constraint, const Tensor& origin,
                      int64_t step) = 0;
  virtual bool needs_deterministic_objective() const { return false; }
  /// Everything that has to be saved for a resumed run to continue to the same bytes.
  virtual OptimizerState state() const = 0;
  virtual void restore(const OptimizerState& state) = 0;
};

struct OptimizerConfig {
  std::string name = "pgd";
  int64_t steps = 300;
  double step_size = 0;  ///< 0 = the optimizer's own default for the constraint
  double momentum = 0.9;
  double clip_norm = 20;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("optimizer", name,
          "pgd (sign steps with momentum), adam or sgd (gradient clipped, Bailey et al. 2023)");
    field("steps", steps, "optimization steps");
    field("step_size", step_size, "step in [0,1] pixel units; 0 = a default that fits the constraint");
    field("momentum", momentum, "pgd: decay of the accumulated gradient");
    field("clip_norm", clip_norm, "sgd: largest l2 norm of the gradient");
  }
};

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config, const Constraint& constraint);
std::vector<std::string> optimizer_names();

}  // namespace hijack
