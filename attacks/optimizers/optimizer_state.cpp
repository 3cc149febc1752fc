#include "attacks/optimizers/optimizer_state.h"

#include "src/base/error.h"

namespace hijack {

OptimizerState saved(const std::vector<std::pair<std::string, Tensor>>& tensors) {
  OptimizerState state;
  for (const auto& [name, tensor] : tensors)
    if (tensor.defined()) state[name] = tensor;
  return state;
}

void restore_into(const std::vector<std::pair<std::string, Tensor*>>& tensors, const OptimizerState& state) {
  size_t taken = 0;
  for (const auto& [name, target] : tensors) {
    const auto entry = state.find(name);
    *target = entry == state.end() ? Tensor() : entry->second;
    if (entry != state.end()) ++taken;
  }
  if (taken != state.size() || (taken != 0 && taken != tensors.size()))
    throw Error(
        "the saved optimizer state belongs to another optimizer: resume with the optimizer that began the "
        "run.");
}

}  // namespace hijack
