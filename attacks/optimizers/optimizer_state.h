#pragma once
#include <string>
#include <utility>
#include <vector>

#include "attacks/optimizer.h"

namespace hijack {

/// The tensors that are defined. An optimizer that has not stepped yet has an empty state.
OptimizerState saved(const std::vector<std::pair<std::string, Tensor>>& tensors);

/// The inverse: tensors that the state lacks become undefined. Throws Error when the state has others,
/// because then it belongs to another optimizer.
void restore_into(const std::vector<std::pair<std::string, Tensor*>>& tensors, const OptimizerState& state);

}  // namespace hijack
