#pragma once
#include "src/experiment/plan/config.h"

namespace hijack {

/// Whether the contexts of an attack can be divided among processes. Throws Error that names what stands in
/// the way.
void check_divisible(const AttackConfig& config);

}  // namespace hijack
