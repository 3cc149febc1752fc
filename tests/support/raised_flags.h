#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "src/experiment/report/sanity/sanity.h"

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

/// The run raises this flag once, and its meaning holds `words`.
inline void expect_raised(const RunRecord& run, const std::string& name, const std::string& words = "") {
  const std::vector<Flag> flags = raised({run}, name);
  ASSERT_EQ(flags.size(), 1u) << name << "\n" << told({run});
  EXPECT_NE(flags[0].meaning.find(words), std::string::npos) << flags[0].meaning;
}
inline void expect_quiet(const RunRecord& run, const std::string& name) {
  EXPECT_EQ(raised({run}, name).size(), 0u) << name << "\n" << told({run});
}

}  // namespace hijack::support
