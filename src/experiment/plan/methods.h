#pragma once
#include <string>
#include <vector>

#include "src/experiment/plan/config.h"

// What can be searched for, as far as it can be told before anything is loaded; the searches themselves are
// in run/search.h.

namespace hijack {

enum class Method { kImage, kTypographic, kGcg, kJoint, kScaling };

/// By config.method; throws Error for an unknown name.
Method method_of(const AttackConfig& config);
std::vector<std::string> method_names();
/// Steps that a trial's search takes when nothing ends it early, as its progress counts them.
int64_t planned_steps(const AttackConfig& config);
/// For ids: "linf-8", "text-tiny", "suffix-16", "linf-8-suffix-16".
std::string method_label(const AttackConfig& config);
/// Throws Error for an unknown method and settings it has no use for.
void check_method(const AttackConfig& config, const Behavior& behavior);

}  // namespace hijack
