#include "src/experiment/report/values/agreement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "src/base/random.h"

namespace hijack {
namespace {

constexpr int kAgreementDraws = 2000;
constexpr uint64_t kAgreementSeed = 0xa62ee;

/// Replies by what both said.
struct Counts {
  int64_t both = 0, only_first = 0, only_second = 0, neither = 0;

  Counts& operator+=(const Counts& other) {
    both += other.both, only_first += other.only_first;
    only_second += other.only_second, neither += other.neither;
    return *this;
  }
  double n() const { return static_cast<double>(both + only_first + only_second + neither); }
  double share() const { return static_cast<double>(both + neither) / n(); }
  double kappa() const {
    const double first = static_cast<double>(both + only_first) / n();
    const double second = static_cast<double>(both + only_second) / n();
    const double chance = first * second + (1 - first) * (1 - second);
    return chance < 1 ? (share() - chance) / (1 - chance) : std::numeric_limits<double>::quiet_NaN();
  }
};

Interval bootstrap_interval(const std::vector<Counts>& units) {
  Random random(kAgreementSeed);
  std::vector<double> drawn;
  for (int draw = 0; draw < kAgreementDraws; ++draw) {
    Counts sum;
    for (size_t i = 0; i < units.size(); ++i)
      sum += units[static_cast<size_t>(random.between(0, static_cast<int64_t>(units.size()) - 1))];
    if (const double kappa = sum.kappa(); !std::isnan(kappa)) drawn.push_back(kappa);
  }
  return percentile_interval(std::move(drawn));
}

}  // namespace

Agreement agreement(const std::vector<JudgedTwice>& replies) {
  constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
  Agreement result{static_cast<int64_t>(replies.size()), kNone, kNone, {kNone, kNone}};
  if (replies.empty()) return result;
  std::map<std::string, Counts> by_unit;
  Counts all;
  for (const JudgedTwice& one : replies) {
    const Counts count{one.first && one.second, one.first && !one.second, !one.first && one.second,
                       !one.first && !one.second};
    by_unit[one.unit] += count;
    all += count;
  }
  result.share = all.share();
  result.kappa = all.kappa();
  if (std::isnan(result.kappa)) return result;
  std::vector<Counts> units;
  for (const auto& [unit, counts] : by_unit) units.push_back(counts);
  result.interval = bootstrap_interval(units);
  return result;
}

}  // namespace hijack
