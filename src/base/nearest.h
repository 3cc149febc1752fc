#pragma once
#include <span>
#include <string>
#include <string_view>

namespace hijack {

/// The known name that is closest to `name` (case ignored), or "" when none is close enough to be meant.
std::string nearest(std::string_view name, std::span<const std::string> known);

/// The sentence for a name that no table has: "there is no optimizer 'pdg': did you mean 'pgd'? Known are
/// adam, pgd and sgd."
std::string unknown_name(std::string_view what, std::string_view name, std::span<const std::string> known);

}  // namespace hijack
