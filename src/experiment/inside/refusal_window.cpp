#include "src/experiment/inside/refusal_window.h"

#include <ATen/ATen.h>

#include <numeric>

#include "defenses/detectors/hidden_detect.h"
#include "defenses/detectors/trained_file.h"
#include "src/base/error.h"
#include "src/experiment/plan/shipped.h"
#include "src/experiment/run/defense_setup.h"

namespace hijack {
namespace {

constexpr size_t kPromptsOfAKind = 24;  ///< the paper's few shots
constexpr size_t kFewestPrompts = 4;

/// Prompts that are refused and benign ones, each with a benign picture.
struct RefusalShots {
  std::vector<Submission> refused, benign;
};

std::vector<Context> first_of(const std::vector<Context>& all) {
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(std::min(all.size(), 2 * kPromptsOfAKind))};
}

RefusalShots shots_of(const DetectorTrainConfig& config, const DetectorExamples& examples,
                      const std::filesystem::path& folder) {
  const std::filesystem::path file =
      config.refused.empty() ? default_contexts("refusal", folder) : std::filesystem::path(config.refused);
  const ContextSet contexts = read_contexts(file);
  std::vector<Context> refused = contexts.train;
  refused.insert(refused.end(), contexts.test.begin(), contexts.test.end());
  BenignPictures pictures(examples.model, "photo");
  RefusalShots shots{benign_submissions(pictures, first_of(refused), {}),
                     benign_submissions(pictures, first_of(contexts.calibration), {})};
  if (std::min(shots.refused.size(), shots.benign.size()) < kFewestPrompts)
    throw Error("'" + file.string() + "' has " + std::to_string(shots.refused.size()) +
                " prompts that are refused and " + std::to_string(shots.benign.size()) +
                " benign ones (\"split\": \"calibration\"): hidden_detect takes at least " +
                std::to_string(kFewestPrompts) + " of each.");
  return shots;
}

/// Every other row.
Tensor half(const Tensor& curves, int64_t from) {
  return curves.slice(0, from, curves.size(0), 2);
}

std::vector<double> areas(const Tensor& curves, std::pair<int64_t, int64_t> window) {
  return as_list(trapezoid_area(curves.slice(1, window.first, window.second + 1)));
}

std::vector<ClusteredScore> prompt_scores(const std::vector<double>& values, const std::string& kind) {
  std::vector<ClusteredScore> scores;
  for (size_t i = 0; i < values.size(); ++i) scores.push_back({values[i], kind + std::to_string(i)});
  return scores;
}

}  // namespace

std::pair<int64_t, int64_t> refusal_window(const Tensor& refused, const Tensor& benign) {
  const std::vector<double> difference = as_list(refused - benign);
  const auto most = std::max_element(difference.begin(), difference.end());
  if (!(*most > 0))
    throw Error(
        "inside of this model, prompts that are refused look like benign ones in every layer: hidden_detect "
        "has nothing to look for.");
  auto first = most, last = most;
  while (first != difference.begin() && *(first - 1) >= *most / 2) --first;
  while (last + 1 != difference.end() && *(last + 1) >= *most / 2) ++last;
  return {first - difference.begin(), last - difference.begin()};
}

TrainedDetector train_refusal_window(const DetectorTrainConfig& config,
                                     const std::function<void(const std::string&)>& note) {
  const DetectorExamples examples = read_examples(config.runs, config.moved_models);
  const RefusalShots shots = shots_of(config, examples, examples.model_folder);
  std::vector<int64_t> layers(static_cast<size_t>(state_hooks_of(*examples.model).layers()));
  std::iota(layers.begin(), layers.end(), int64_t{1});
  const RefusalStrength strength({.model = examples.model}, layers, config.detector);
  note("strength of refusal in " + std::to_string(layers.size()) + " layers before " +
       std::to_string(shots.refused.size() + shots.benign.size() + examples.all.size()) + " replies");
  const Tensor refused = strength.of(shots.refused), benign = strength.of(shots.benign);
  const auto window = refusal_window(half(refused, 0).mean(0), half(benign, 0).mean(0));
  TrainedDetector trained;
  trained.first = layers[static_cast<size_t>(window.first)];
  trained.last = layers[static_cast<size_t>(window.second)];
  trained.rows.push_back({"refused from benign prompts", "all",
                          separation(prompt_scores(areas(half(benign, 1), window), "benign "),
                                     prompt_scores(areas(half(refused, 1), window), "refused "))});
  FeatureTable table = table_of(examples);
  if (!examples.all.empty())
    add_rows(trained.rows, table, areas(strength.of(examples.submissions()), window), "all");
  for (const std::string& label : table.labels) ++trained.examples[label];
  save_trained(config.out, config.detector,
               {{"difference", (refused.mean(0) - benign.mean(0)).to(at::kDouble)}},
               {{"model", examples.model_name},
                {"model_sha256", examples.model_sha256},
                {"measured", to_json(trained).dump()},
                {"first", std::to_string(trained.first)},
                {"last", std::to_string(trained.last)}});
  return trained;
}

}  // namespace hijack
