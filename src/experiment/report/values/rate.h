#pragma once
#include <map>
#include <string>
#include <vector>

#include "src/experiment/record/results.h"
#include "src/experiment/report/values/clusters.h"

// Rates as every table, chart, flag and terminal line shows them: one way to pool, one way to print.

namespace hijack::report {

/// One reply, and which of those that were drawn to its question.
struct Draw {
  bool success = false;
  int64_t draw = 0;
};

/// Successes out of n replies, and the clusters that they fall into.
struct Rate {
  int64_t successes = 0;
  int64_t n = 0;
  std::vector<Cluster> clusters = {};  ///< that sum to the above; empty = all replies of one trial

  double value() const;  ///< NaN when n = 0
  /// Wilson's within one trial, over several as src/experiment/report/values/clusters.h says.
  Interval interval() const;
  /// The replies of one trial, `draws` to each context.
  void add(const std::string& photo, uint64_t seed, int64_t successes, int64_t n, int64_t draws = 1);
  /// One of them.
  void add(const std::string& photo, uint64_t seed, const Draw& one) {
    add(photo, seed, one.success ? 1 : 0, 1, one.draw + 1);
  }
  /// One to a question that depends on no other; its draws count together.
  void add(const std::string& question, const Draw& one);
};

/// "97% (90–99%)", and where seeds (or, with one seed, photos) disagree, each: "55% (8–92%), seeds 8, 33, 41
/// of 50". "–" when n = 0.
std::string shown(const Rate& rate);
/// The latter part alone: "seeds 8, 33, 41 of 50"; empty where they agree. Seeds in ascending order, photos
/// in that of the rows; more than twelve are shown as "seeds from 8 to 41 of 50".
std::string disagreement(const Rate& rate);

/// Exact success and substring match, pooled.
struct Pooled {
  Rate exact;
  Rate substring;
};
/// By split, control or other measure.
using Pools = std::map<std::string, Pooled>;
/// Exact success; n = 0 when there is none of that name.
Rate exact_of(const Pools& pools, const std::string& name);
std::string shown(const Pools& pools, const std::string& name);

/// n = 0 when there is none of that name.
Tally tally_of(const std::map<std::string, Tally>& tallies, const std::string& name);
/// Exact success of one trial.
Rate rate_of(const Tally& tally);

}  // namespace hijack::report
