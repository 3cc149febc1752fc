#include "attacks/optimizers/adam.h"
#include "attacks/optimizers/apgd.h"
#include "attacks/optimizers/cwa.h"
#include "attacks/optimizers/pgd.h"
#include "attacks/optimizers/sgd.h"
#include "attacks/optimizers/square.h"
#include "src/base/error.h"
#include "src/base/registry.h"

namespace hijack {
namespace {

template <class One>
std::unique_ptr<Optimizer> make(const OptimizerConfig& config, const Constraint& constraint) {
  return std::make_unique<One>(config, constraint);
}

struct OptimizerKind {
  const char* name;
  std::unique_ptr<Optimizer> (*make)(const OptimizerConfig&, const Constraint&);
};
const Registry<OptimizerKind> kOptimizers("optimizer", {{"pgd", make<Pgd>},
                                                        {"apgd", make<Apgd>},
                                                        {"adam", make<Adam>},
                                                        {"sgd", make<Sgd>},
                                                        {"square", make<Square>},
                                                        {"cwa", make<Cwa>}});

/// In an l2 ball a step is as long as the norm over the whole image.
double largest_step(const Constraint& constraint) {
  return std::holds_alternative<L2Ball>(constraint) ? 1e4 : 1;
}

void check(const OptimizerConfig& config, const Constraint& constraint) {
  if (config.steps < 1) throw Error("steps is " + std::to_string(config.steps) + ", but must be at least 1.");
  if (!(config.step_size >= 0 && config.step_size <= largest_step(constraint)))
    throw Error("step_size must lie in [0,1] (pixel values; 0 = a default that fits the constraint).");
  if (!(config.momentum >= 0 && config.momentum <= 1)) throw Error("momentum must lie in [0,1].");
  if (!(config.final_step >= 0 && config.final_step <= 1)) throw Error("final_step must lie in [0,1].");
  if (!(config.apgd_alpha > 0 && config.apgd_alpha <= 100)) throw Error("apgd_alpha must lie in (0,100].");
  if (!(config.clip_norm > 0)) throw Error("clip_norm must be larger than 0.");
  if (!(config.cwa_inner >= 0 && config.cwa_inner <= 1e4))
    throw Error("cwa_inner must lie in [0,10000] (0 = a default that fits the constraint).");
  if (!(config.square_share > 0 && config.square_share <= 1)) throw Error("square_share must lie in (0,1].");
}

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config, const Constraint& constraint) {
  const OptimizerKind& kind = kOptimizers.at(config.name);
  check(config, constraint);
  return kind.make(config, constraint);
}

std::vector<std::string> optimizer_names() {
  return kOptimizers.names();
}

}  // namespace hijack
