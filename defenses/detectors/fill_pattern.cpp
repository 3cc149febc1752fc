#include "defenses/detectors/fill_pattern.h"

namespace hijack {

std::string filled_pattern(const std::string& pattern,
                           const std::vector<std::pair<std::string, std::string>>& places) {
  std::string out;
  for (size_t at = 0; at < pattern.size();) {
    const auto found = std::find_if(places.begin(), places.end(), [&](const auto& place) {
      return pattern.compare(at, place.first.size(), place.first) == 0;
    });
    if (found == places.end()) {
      out += pattern[at++];
    } else {
      out += found->second;
      at += found->first.size();
    }
  }
  return out;
}

}  // namespace hijack
