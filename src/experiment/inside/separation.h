#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "src/base/tensor.h"
#include "src/experiment/report/values/statistics.h"

// How well scores tell one kind of examples from another.

namespace hijack {

/// A score, and what its example shares with others: examples of one cluster (a prompt) are no independent
/// ones.
struct ClusteredScore {
  double score = 0;
  std::string cluster;
};

struct Separation {
  int64_t negatives = 0, positives = 0;
  double auroc = 0;
  Interval interval = {};  ///< 95 %, percentiles of a bootstrap over clusters (Field & Welsh 2007)
  double found_at_1 = 0;   ///< share of positives above a threshold that at most 1 % of the negatives exceed
  double found_at_5 = 0;
};
/// The same seed gives the same interval. Throws std::invalid_argument where a side is empty or a score is
/// NaN.
Separation separation(std::span<const ClusteredScore> negatives, std::span<const ClusteredScore> positives,
                      uint64_t seed = 0);

/// Where 95 % of such areas lie, by their mean and standard deviation (at least two), within [0,1].
Interval spread_of(std::span<const double> areas);

/// features [n,F] -> scores [n].
using Scorer = std::function<Tensor(const Tensor& features)>;
/// Learns from features [n,F] and labels bool [n].
using Fit = std::function<Scorer(const Tensor& features, const Tensor& labels)>;

/// Out-of-fold scores: each example is scored by what learned from no example of its cluster, in at most
/// `folds` folds of whole clusters. Throws Error for fewer than two clusters, and as `fit` does where a fold
/// leaves examples of one kind only.
std::vector<double> cross_validated_scores(const Tensor& features, const Tensor& labels,
                                           const std::vector<std::string>& clusters, const Fit& fit,
                                           int64_t folds = 5);

}  // namespace hijack
