#pragma once
#include <string>
#include <vector>

#include "src/experiment/report/sanity.h"

namespace hijack::support {

/// The flags of one name that runs raise.
inline std::vector<Flag> raised(const std::vector<RunRecord>& runs, const std::string& name) {
  std::vector<Flag> found;
  for (const Flag& flag : sanity_flags(runs))
    if (flag.name == name) found.push_back(flag);
  return found;
}

/// All that runs raise, one line each, for messages.
inline std::string told(const std::vector<RunRecord>& runs) {
  std::string text;
  for (const Flag& flag : sanity_flags(runs))
    text += flag.name + " @ " + flag.trial + ": " + flag.meaning + "\n";
  return text;
}

}  // namespace hijack::support
