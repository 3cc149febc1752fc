#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "src/experiment/report/values/statistics.h"

// Intervals of rates whose replies are not independent of each other.
//
// All trials of a setting are asked the same contexts, and the replies to one image stand and fall together:
// 3 seeds x 50 contexts are not 150 draws. Pooled rates therefore count clusters, one for each trial
// (photo, seed), and their interval is the wider, at each end, of
//
//   * a bootstrap: photos and seeds are drawn with replacement, crossed (the pigeonhole bootstrap of Owen
//   2007,
//     which errs on the wide side), the contexts of each cluster again within it, 2000 times from a fixed
//     seed; 2.5 % and 97.5 % points;
//   * Wilson's interval at the effective number of replies, n* = n_eff (z / t)^2 (Korn and Graubard 1998,
//   with
//     Wilson's in place of Clopper and Pearson's interval). n_eff = p (1 - p) / V with the variance V between
//     clusters; t is Student's quantile with clusters - 1 degrees of freedom: two or three clusters that
//     differ say little about others (a bootstrap alone never leaves the range of what it saw). n* is never
//     more than the larger of the number of clusters and the contexts of one: no more than that was sampled.
//
// One cluster: Wilson's interval over its replies; it says nothing about other seeds. Clusters that agree to
// the reply (all at 0 %, say) show no variance: the interval is that of one cluster's contexts, 0 to 7 % for
// 3 seeds with 0 of 50 each, not the 0 to 2.5 % of 150 independent replies. What it cannot know is how a
// photo or seed that was not tried would differ; the number of seeds and photos stands beside it for that.
// Several replies drawn to each context (temperature) are no further contexts: at worst all draws of one
// agree, and that is what the interval allows for. It takes a rate over draws as a rate over contexts. One
// photo: the seeds alone are drawn, and the interval says nothing about other photos.

namespace hijack {

/// The replies of one trial.
struct Cluster {
  std::string photo;
  uint64_t seed = 0;
  int64_t successes = 0;
  int64_t n = 0;
  int64_t draws = 1;  ///< replies to each context, which n counts

  /// Contexts: what was sampled, however often each was asked.
  double contexts() const { return static_cast<double>(n) / static_cast<double>(draws); }
};

/// 95 % interval of sum(successes) / sum(n), as above. [0,1] without replies. Clusters without replies do not
/// count. Throws std::invalid_argument unless 0 <= successes <= n in each. The same clusters in any order
/// give the same interval.
Interval cluster_interval(std::span<const Cluster> clusters);

}  // namespace hijack
