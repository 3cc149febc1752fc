#pragma once
#include "src/base/error.h"
#include "src/experiment/plan/config.h"

namespace hijack {

/// Throws what was not finite again, with the reason that the models of a config give for it
/// (models/not_finite.h).
[[noreturn]] void explain(const NotFinite& found, const AttackConfig& config);

}  // namespace hijack
