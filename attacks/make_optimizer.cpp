#include "attacks/adam.h"
#include "attacks/pgd.h"
#include "attacks/sgd.h"
#include "src/base/error.h"
#include "src/base/nearest.h"

namespace hijack {
namespace {

template <class One>
std::unique_ptr<Optimizer> make(const OptimizerConfig& config, const Constraint& constraint) {
  return std::make_unique<One>(config, constraint);
}

struct Entry {
  const char* name;
  std::unique_ptr<Optimizer> (*make)(const OptimizerConfig&, const Constraint&);
};
constexpr Entry kOptimizers[] = {{"pgd", make<Pgd>}, {"adam", make<Adam>}, {"sgd", make<Sgd>}};

void check(const OptimizerConfig& config) {
  if (config.steps < 1) throw Error("steps is " + std::to_string(config.steps) + ", but must be at least 1.");
  if (!(config.step_size >= 0 && config.step_size <= 1))
    throw Error("step_size must lie in [0,1] (pixel values; 0 = a default that fits the constraint).");
  if (!(config.momentum >= 0 && config.momentum < 1)) throw Error("momentum must lie in [0,1).");
  if (!(config.clip_norm > 0)) throw Error("clip_norm must be larger than 0.");
}

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const OptimizerConfig& config, const Constraint& constraint) {
  for (const Entry& entry : kOptimizers)
    if (config.name == entry.name) {
      check(config);
      return entry.make(config, constraint);
    }
  throw Error(unknown_name("optimizer", config.name, optimizer_names()));
}

std::vector<std::string> optimizer_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kOptimizers) names.emplace_back(entry.name);
  return names;
}

}  // namespace hijack
