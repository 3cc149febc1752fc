#include "src/experiment/report/values/clusters.h"

#include <cmath>
#include <numbers>
#include <stdexcept>
#include <tuple>

#include "src/base/random.h"

namespace hijack {
namespace {

constexpr double kTail = 0.025;
constexpr int kDraws = 2000;

/// Wilson's interval for a rate over a number of replies that need not be whole.
Interval wilson_of_rate(double rate, double n) {
  const double z = normal_quantile(1 - kTail);
  const double center = (rate + z * z / (2 * n)) / (1 + z * z / n);
  const double half = z / (1 + z * z / n) * std::sqrt(rate * (1 - rate) / n + z * z / (4 * n * n));
  return {rate <= 0 ? 0.0 : std::max(0.0, center - half), rate >= 1 ? 1.0 : std::min(1.0, center + half)};
}

/// One cluster's number of successes when its contexts are drawn again, each with all its replies: binomial,
/// by its distribution function.
class Redraw {
 public:
  explicit Redraw(const Cluster& cluster)
      : n_(static_cast<double>(cluster.n)), draws_(static_cast<double>(cluster.draws)) {
    const double rate = static_cast<double>(cluster.successes) / n_;
    const int64_t contexts = std::max<int64_t>(1, cluster.n / cluster.draws);
    for (int64_t k = 0; k <= contexts; ++k) up_to_.push_back(binomial_lower_tail(k, contexts, rate));
  }
  double n() const { return n_; }
  double successes(Random& random) const {
    const auto found = std::upper_bound(up_to_.begin(), up_to_.end() - 1, random.uniform() * up_to_.back());
    return static_cast<double>(found - up_to_.begin()) * draws_;
  }

 private:
  double n_;
  double draws_;
  std::vector<double> up_to_;  ///< probability of at most k successes
};

/// How often each of `count` things is taken in as many draws.
std::vector<int64_t> draw_counts(size_t count, Random& random) {
  std::vector<int64_t> taken(count, 0);
  for (size_t i = 0; i < count; ++i) ++taken[static_cast<size_t>(random.below(static_cast<int64_t>(count)))];
  return taken;
}

template <class Key, class Get>
std::vector<size_t> numbered(std::span<const Cluster> clusters, std::map<Key, size_t>& numbers, Get get) {
  std::vector<size_t> places;
  for (const Cluster& cluster : clusters)
    places.push_back(numbers.emplace(get(cluster), numbers.size()).first->second);
  return places;
}

Interval bootstrap(std::span<const Cluster> clusters) {
  std::map<std::string, size_t> photos;
  std::map<uint64_t, size_t> seeds;
  const auto photo_of = numbered(clusters, photos, [](const Cluster& one) { return one.photo; });
  const auto seed_of = numbered(clusters, seeds, [](const Cluster& one) { return one.seed; });
  const std::vector<Redraw> redraws(clusters.begin(), clusters.end());
  Random random(0xb0075);
  std::vector<double> rates;
  while (rates.size() < kDraws) {
    const auto photo_counts = draw_counts(photos.size(), random),
               seed_counts = draw_counts(seeds.size(), random);
    double successes = 0, n = 0;
    for (size_t i = 0; i < clusters.size(); ++i) {
      const auto weight = static_cast<double>(photo_counts[photo_of[i]] * seed_counts[seed_of[i]]);
      if (weight == 0) continue;
      successes += weight * redraws[i].successes(random);
      n += weight * redraws[i].n();
    }
    if (n > 0) rates.push_back(successes / n);  // not every photo may have every seed
  }
  std::sort(rates.begin(), rates.end());
  const auto at = static_cast<size_t>(kTail * kDraws);
  return {rates[at - 1], rates[rates.size() - at]};
}

/// The replies that the clusters are worth, n*.
double effective_replies(std::span<const Cluster> clusters, double rate, double total) {
  const auto count = static_cast<double>(clusters.size());
  double between = 0, most = 0;
  for (const Cluster& one : clusters) {
    const auto n = static_cast<double>(one.n);
    const double residual = static_cast<double>(one.successes) - rate * n;
    between += residual * residual;
    most = std::max(most, one.contexts());
  }
  const double variance = count / (count - 1) * between / (total * total);
  const double sampled = std::max(count, most);
  if (variance == 0) return sampled;
  const double z = normal_quantile(1 - kTail);
  const double t = student_quantile(1 - kTail, static_cast<int64_t>(clusters.size()) - 1);
  return std::min(sampled, rate * (1 - rate) / variance * (z / t) * (z / t));
}

/// Those with replies, in an order of their own: the draws must not depend on the order of rows.
std::vector<Cluster> in_order(std::span<const Cluster> clusters) {
  std::vector<Cluster> sorted;
  for (const Cluster& one : clusters) {
    if (one.successes < 0 || one.n < 0 || one.successes > one.n)
      throw std::invalid_argument("cluster_interval needs 0 <= k <= n");
    if (one.n > 0) sorted.push_back(one);
  }
  std::sort(sorted.begin(), sorted.end(), [](const Cluster& a, const Cluster& b) {
    return std::tie(a.photo, a.seed, a.n, a.successes, a.draws) <
           std::tie(b.photo, b.seed, b.n, b.successes, b.draws);
  });
  return sorted;
}

}  // namespace

Interval cluster_interval(std::span<const Cluster> given) {
  const std::vector<Cluster> clusters = in_order(given);
  int64_t successes = 0, n = 0, most = 0;
  double contexts = 0;
  for (const Cluster& one : clusters) {
    successes += one.successes;
    n += one.n;
    contexts += one.contexts();
    most = std::max(most, one.n / one.draws);
  }
  if (clusters.size() < 2 || most == 1)
    return contexts == static_cast<double>(n)
               ? wilson_interval(successes, n)
               : wilson_of_rate(static_cast<double>(successes) / static_cast<double>(n), contexts);
  const double rate = static_cast<double>(successes) / static_cast<double>(n);
  const Interval floor = wilson_of_rate(rate, effective_replies(clusters, rate, static_cast<double>(n)));
  if (successes == 0 || successes == n) return floor;
  const Interval drawn = bootstrap(clusters);
  return {std::min(floor.low, drawn.low), std::max(floor.high, drawn.high)};
}

}  // namespace hijack
