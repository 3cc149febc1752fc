#pragma once
#include <string>
#include <utility>
#include <vector>

namespace hijack {

/// `pattern` with each place replaced by its text, e.g. {{"{prompt}", prompt}}. What is put in is not
/// searched for places again: users' texts may contain anything.
std::string filled_pattern(const std::string& pattern,
                           const std::vector<std::pair<std::string, std::string>>& places);

}  // namespace hijack
