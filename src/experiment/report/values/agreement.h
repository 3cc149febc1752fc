#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "src/experiment/report/values/statistics.h"

namespace hijack {

/// What two judges said of one reply.
struct JudgedTwice {
  bool first = false, second = false;
  std::string unit;  ///< replies of one unit (a context) are not independent of each other
};

/// Chance-corrected agreement.
struct Agreement {
  int64_t n = 0;
  double share = 0;  ///< of replies on which they agree
  double kappa = 0;  ///< Cohen 1960: (share - chance) / (1 - chance); NaN where both always say the same word
  Interval interval;  ///< 95 %; NaN where kappa is
};
/// The interval is the 2.5 and 97.5 % points of a bootstrap over units, 2000 draws of a fixed seed; draws
/// without a kappa are left out.
Agreement agreement(const std::vector<JudgedTwice>& replies);

}  // namespace hijack
