#include "src/experiment/report/values/rate.h"

#include <limits>

#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

/// Begins the name of a reply that is a cluster of its own; no photo is called so.
constexpr char kLone = '\x01';

/// Parts of a rate: the seeds, or the photos of the only seed.
struct Parts {
  std::string name;
  std::vector<Tally> tallies;
};

template <class Key>
std::vector<Tally> grouped(const std::vector<Cluster>& clusters, Key key_of, bool sorted) {
  std::vector<std::pair<decltype(key_of(clusters[0])), Tally>> groups;
  for (const Cluster& one : clusters) {
    const auto key = key_of(one);
    auto found =
        std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return group.first == key; });
    if (found == groups.end()) found = groups.insert(groups.end(), {key, {}});
    found->second.n += one.n;
    found->second.exact += one.successes;
  }
  if (sorted)
    std::stable_sort(groups.begin(), groups.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Tally> tallies;
  for (const auto& [key, tally] : groups) tallies.push_back(tally);
  return tallies;
}

Parts parts_of(const Rate& rate) {
  std::vector<Cluster> trials;
  for (const Cluster& one : rate.clusters)
    if (!one.photo.starts_with(kLone)) trials.push_back(one);
  if (trials.empty()) return {};
  Parts parts{"seeds", grouped(
                           trials, [](const Cluster& one) { return one.seed; }, true)};
  if (parts.tallies.size() < 2)
    parts = {"photos", grouped(
                           trials, [](const Cluster& one) { return one.photo; }, false)};
  return parts;
}

double share(const Tally& tally) {
  return static_cast<double>(tally.exact) / static_cast<double>(tally.n);
}

}  // namespace

double Rate::value() const {
  return n ? static_cast<double>(successes) / static_cast<double>(n)
           : std::numeric_limits<double>::quiet_NaN();
}

Interval Rate::interval() const {
  return clusters.empty() ? wilson_interval(successes, n) : cluster_interval(clusters);
}

void Rate::add(const std::string& photo, uint64_t seed, int64_t more, int64_t of, int64_t draws) {
  if (of == 0) return;
  successes += more;
  n += of;
  const auto found = std::find_if(clusters.rbegin(), clusters.rend(),
                                  [&](const Cluster& one) { return one.seed == seed && one.photo == photo; });
  if (found == clusters.rend()) {
    clusters.push_back({photo, seed, more, of, draws});
    return;
  }
  found->successes += more;
  found->n += of;
  found->draws = std::max(found->draws, draws);
}

void Rate::add(const std::string& question, const Draw& one) {
  const std::string name = kLone + question;
  if (one.draw > 0) return add(name, 0, one);
  successes += one.success, ++n;
  clusters.push_back({name, 0, one.success ? 1 : 0, 1});
}

std::string disagreement(const Rate& rate) {
  if (rate.clusters.size() < 2 || rate.successes == 0 || rate.successes == rate.n) return "";
  const Parts parts = parts_of(rate);
  const std::vector<Tally>& all = parts.tallies;
  if (all.size() < 2) return "";
  const auto [lowest, highest] = std::minmax_element(
      all.begin(), all.end(), [](const Tally& a, const Tally& b) { return share(a) < share(b); });
  if (share(*lowest) == share(*highest)) return "";
  const bool same_n =
      std::all_of(all.begin(), all.end(), [&](const Tally& one) { return one.n == all[0].n; });
  const auto one = [&](const Tally& tally) {
    return std::to_string(tally.exact) + (same_n ? "" : "/" + std::to_string(tally.n));
  };
  const std::string of = same_n ? " of " + std::to_string(all[0].n) : "";
  constexpr size_t kMost = 12;
  if (all.size() > kMost) return parts.name + " from " + one(*lowest) + " to " + one(*highest) + of;
  std::string text = parts.name + " ";
  for (size_t i = 0; i < all.size(); ++i) text += (i ? ", " : "") + one(all[i]);
  return text + of;
}

std::string shown(const Rate& rate) {
  if (!rate.n) return "–";
  const std::string parts = disagreement(rate);
  return percent(rate.value()) + " (" + percent(rate.interval()) + ")" + (parts.empty() ? "" : ", " + parts);
}

Rate exact_of(const Pools& pools, const std::string& name) {
  const auto found = pools.find(name);
  return found == pools.end() ? Rate{} : found->second.exact;
}

std::string shown(const Pools& pools, const std::string& name) {
  return shown(exact_of(pools, name));
}

Tally tally_of(const std::map<std::string, Tally>& tallies, const std::string& name) {
  const auto found = tallies.find(name);
  return found == tallies.end() ? Tally{} : found->second;
}

Rate rate_of(const Tally& tally) {
  Rate rate;
  rate.add("", 0, tally.exact, tally.n, tally.draws);
  return rate;
}

}  // namespace hijack::report
