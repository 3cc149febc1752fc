#include "src/experiment/report/aggregate/probed.h"

#include <set>

#include "src/base/random.h"
#include "src/experiment/report/values/text.h"

namespace hijack::report {
namespace {

constexpr int kDrawsOfMargin = 2000;
constexpr const char* kImages[] = {"hijack", "noise", "clean", "instruction"};

/// A row with the seed of its trial.
struct SeededProbe {
  const ProbeRow* row;
  uint64_t seed;
};

std::vector<SeededProbe> seeded_probes(const std::vector<RunRecord>& runs) {
  std::vector<SeededProbe> all;
  std::set<std::string> known;
  for (const RunRecord& run : runs) {
    std::map<std::string, uint64_t> seeds;
    for (const TrialRow& trial : run.trials) seeds.emplace(trial.id, trial.seed);
    for (const ProbeRow& row : run.probes) {
      const auto seed = seeds.find(row.trial);
      if (!row.trial.empty() && seed == seeds.end()) continue;
      if (known.insert(row.key).second) all.push_back({&row, seed == seeds.end() ? 0 : seed->second});
    }
  }
  return all;
}

Interval margin_interval(const std::vector<SeededProbe>& rows) {
  std::map<std::string, std::vector<double>> by_pair, by_prompt;
  for (const SeededProbe& one : rows) {
    if (std::isnan(one.row->margin)) continue;
    by_pair[one.row->pair].push_back(one.row->margin);
    by_prompt[one.row->prompt].push_back(one.row->margin);
  }
  std::vector<std::vector<double>> clusters;
  for (const auto& [name, margins] : by_pair.size() > 1 ? by_pair : by_prompt) clusters.push_back(margins);
  if (clusters.empty()) return {NAN, NAN};
  Random random = Random(0).fork("margins of probes");
  std::vector<double> draws;
  for (int i = 0; i < kDrawsOfMargin; ++i) {
    std::vector<double> drawn;
    for (size_t k = 0; k < clusters.size(); ++k) {
      const std::vector<double>& one = random.pick(clusters);
      drawn.insert(drawn.end(), one.begin(), one.end());
    }
    draws.push_back(mean(drawn));
  }
  return percentile_interval(std::move(draws));
}

Probed probed_of(const std::string& group, const std::string& image, const std::vector<SeededProbe>& rows) {
  Probed found{.group = group, .image = image};
  std::set<std::string> trials;
  std::vector<double> margins;
  for (const SeededProbe& one : rows) {
    trials.insert(one.row->trial);
    found.said.add(one.row->photo + "\n" + one.row->pair, one.seed, Draw{one.row->said, 0});
    if (std::isnan(one.row->margin)) continue;
    margins.push_back(one.row->margin);
    found.preferred.add(one.row->photo + "\n" + one.row->pair, one.seed, Draw{one.row->preferred, 0});
  }
  found.trials = static_cast<int64_t>(trials.size());
  found.margin = mean(margins);
  found.margin_interval = margin_interval(rows);
  return found;
}

}  // namespace

std::vector<Probed> probed(const std::vector<RunRecord>& runs) {
  const std::vector<SeededProbe> rows = seeded_probes(runs);
  std::vector<std::string> groups;
  for (const SeededProbe& one : rows)
    if (std::find(groups.begin(), groups.end(), one.row->group) == groups.end())
      groups.push_back(one.row->group);
  std::vector<Probed> all;
  for (const std::string& group : groups)
    for (const char* image : kImages) {
      std::vector<SeededProbe> some;
      for (const SeededProbe& one : rows)
        if (one.row->group == group && one.row->image == image) some.push_back(one);
      if (!some.empty()) all.push_back(probed_of(group, image, some));
    }
  return all;
}

std::string probed_image_name(const std::string& image) {
  if (image == "hijack") return "hijacked";
  if (image == "noise") return "noise of equal size";
  return image == "clean" ? "clean photo" : "clean photo, told in words";
}

std::string shown_with_interval(const Rate& rate) {
  return rate.n ? percent(rate.value()) + " (" + percent(rate.interval()) + ")" : "–";
}

std::string shown_margin(const Probed& one) {
  if (std::isnan(one.margin)) return "–";
  return (one.margin > 0 ? "+" : "") + decimal(one.margin) + " (" + decimal(one.margin_interval.low) +
         " to " + decimal(one.margin_interval.high) + ")";
}

std::vector<std::vector<std::string>> probed_cells(const std::vector<Probed>& all) {
  std::vector<std::vector<std::string>> cells = {
      {"questions", "image", "n", "answer given", "likelier than all others", "log-likelihood over them"}};
  for (const Probed& one : all)
    cells.push_back({one.group, probed_image_name(one.image), std::to_string(one.said.n),
                     shown_with_interval(one.said), shown_with_interval(one.preferred), shown_margin(one)});
  return cells;
}

}  // namespace hijack::report
