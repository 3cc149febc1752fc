#include "src/experiment/inside/separation.h"

#include <ATen/ATen.h>

#include "src/base/error.h"
#include "src/base/random.h"

namespace hijack {
namespace {

constexpr int kResamples = 1000;

std::vector<double> values_of(std::span<const ClusteredScore> scores) {
  std::vector<double> values;
  for (const ClusteredScore& one : scores) values.push_back(one.score);
  return values;
}

/// Scores of both kinds by cluster.
struct Cluster {
  std::vector<double> negatives = {}, positives = {};
};

std::vector<Cluster> clusters_of(std::span<const ClusteredScore> negatives,
                                 std::span<const ClusteredScore> positives) {
  std::map<std::string, Cluster> by_name;
  for (const ClusteredScore& one : negatives) by_name[one.cluster].negatives.push_back(one.score);
  for (const ClusteredScore& one : positives) by_name[one.cluster].positives.push_back(one.score);
  std::vector<Cluster> all;
  for (auto& [name, cluster] : by_name) all.push_back(std::move(cluster));
  return all;
}

Interval bootstrap(const std::vector<Cluster>& clusters, uint64_t seed) {
  Random random = Random(seed).fork("bootstrap over clusters");
  std::vector<double> areas;
  for (int i = 0; i < kResamples; ++i) {
    std::vector<double> negatives, positives;
    for (size_t k = 0; k < clusters.size(); ++k) {
      const Cluster& drawn = random.pick(clusters);
      negatives.insert(negatives.end(), drawn.negatives.begin(), drawn.negatives.end());
      positives.insert(positives.end(), drawn.positives.begin(), drawn.positives.end());
    }
    if (!negatives.empty() && !positives.empty()) areas.push_back(auroc(negatives, positives));
  }
  return areas.empty() ? Interval{} : percentile_interval(std::move(areas));
}

}  // namespace

Separation separation(std::span<const ClusteredScore> negatives, std::span<const ClusteredScore> positives,
                      uint64_t seed) {
  const std::vector<double> low = values_of(negatives), high = values_of(positives);
  return {.negatives = static_cast<int64_t>(low.size()),
          .positives = static_cast<int64_t>(high.size()),
          .auroc = auroc(low, high),
          .interval = bootstrap(clusters_of(negatives, positives), seed),
          .found_at_1 = detection_rate_at(low, high, 0.01),
          .found_at_5 = detection_rate_at(low, high, 0.05)};
}

Interval spread_of(std::span<const double> areas) {
  const double middle = mean(areas), spread = 1.96 * standard_deviation(areas);
  return {std::max(middle - spread, 0.0), std::min(middle + spread, 1.0)};
}

std::vector<double> cross_validated_scores(const Tensor& features, const Tensor& labels,
                                           const std::vector<std::string>& clusters, const Fit& fit,
                                           int64_t folds) {
  std::vector<std::string> names(clusters);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.size() < 2) throw Error("a detector is trained on examples of at least two different prompts.");
  Random(0).fork("folds").shuffle(names);
  const auto count = std::min<size_t>(static_cast<size_t>(folds), names.size());
  std::map<std::string, size_t> fold_of;
  for (size_t i = 0; i < names.size(); ++i) fold_of[names[i]] = i % count;
  std::vector<double> scores(clusters.size());
  for (size_t fold = 0; fold < count; ++fold) {
    std::vector<int64_t> inside, outside;
    for (size_t i = 0; i < clusters.size(); ++i)
      (fold_of.at(clusters[i]) == fold ? inside : outside).push_back(static_cast<int64_t>(i));
    const Tensor seen = at::tensor(outside, at::kLong), held_out = at::tensor(inside, at::kLong);
    const Scorer scorer = fit(features.index_select(0, seen), labels.index_select(0, seen));
    const Tensor found = scorer(features.index_select(0, held_out));
    for (size_t k = 0; k < inside.size(); ++k)
      scores[static_cast<size_t>(inside[k])] = found[static_cast<int64_t>(k)].item<double>();
  }
  return scores;
}

}  // namespace hijack
