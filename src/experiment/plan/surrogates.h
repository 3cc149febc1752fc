#pragma once
#include <set>
#include <string>

#include "src/experiment/plan/config.h"

// Attacks on image encoders (--surrogate), with a model that is asked for replies (--model) or without any.

namespace hijack {

/// Before anything else is resolved: without a model the first surrogate takes its place, and the behavior is
/// `resemble`. Throws Error where `given` names what only a model can do.
void settle_surrogates(AttackConfig& config, const std::set<std::string>& given);

/// Whether the objective is about the surrogates.
bool uses_surrogates(const AttackConfig& config);

/// Throws Error where surrogates and objective do not fit each other, folders are missing or named alike, and
/// for settings that exclude each other.
void check_surrogates(const AttackConfig& config, const Behavior& behavior);

}  // namespace hijack
