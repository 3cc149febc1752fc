#include "defenses/detectors/perplexity_filter.h"

#include "defenses/calibration.h"
#include "src/base/error.h"

namespace hijack {
namespace {

/// Of each prompt.
std::vector<double> worst_windows(const LanguageModel& scorer, const std::vector<std::string>& prompts,
                                  int64_t window) {
  std::vector<double> worst;
  for (const Tensor& nll : scorer.prompt_nlls(prompts)) {
    const std::vector<double> means = window_means(nll, window);
    worst.push_back(means.empty() ? 0 : *std::max_element(means.begin(), means.end()));
  }
  return worst;
}

}  // namespace

void PerplexityFilter::Parameters::check() const {
  asked.check();
  check_range("window", static_cast<double>(window), 0, 1e6);
  check_range("threshold", threshold, 0, 1e6);
  check_range("quantile", quantile, 0, 1);
  check_choice("preset", preset, {"exact", "published"});
}

PerplexityFilter::PerplexityFilter(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters), scorer_(asked_model(parameters.asked, resources, resources.scorer, kName)) {
  parameters_.check();
  parameters_.asked.make_public();
  if (!scorer_) throw Error("Defense 'perplexity' needs a language model to score prompts with.");
  calibration_ = parameters_.threshold > 0 ? Calibration{.name = name(), .threshold = parameters_.threshold}
                                           : fit(resources);
}

Calibration PerplexityFilter::fit(const DefenseResources& resources) const {
  const double alpha = wanted_alpha(parameters_.quantile, resources);
  check_calibration_size(name(), "benign prompts", static_cast<int64_t>(resources.benign.size()), alpha);
  resources.tell_fit(name(), resources.benign.size());
  const int64_t window = parameters_.preset == "published" ? 0 : parameters_.window;
  std::vector<std::string> texts;
  std::vector<Submission> prompts;
  for (const Submission& benign : resources.benign) {
    texts.push_back(benign.query.prompt);
    prompts.push_back({.image = {}, .query = {.prompt = benign.query.prompt}});
  }
  Calibration made = calibrate(name(), worst_windows(*scorer_, texts, window), alpha);
  made.fitted_on = submissions_sha256(prompts);
  return made;
}

double PerplexityFilter::score(const Query& query) const {
  return scores({&query, 1}).front();
}

std::vector<double> PerplexityFilter::scores(std::span<const Query> queries) const {
  std::vector<std::string> prompts;
  for (const Query& query : queries) prompts.push_back(query.prompt);
  return worst_windows(*scorer_, prompts, parameters_.window);
}

std::vector<double> window_means(const Tensor& nll, int64_t window) {
  TORCH_CHECK(nll.dim() == 1 && window >= 0, "nll must be [L] and window >= 0");
  const int64_t length = nll.size(0);
  const int64_t step = window > 0 ? window : std::max<int64_t>(length, 1);
  std::vector<double> means;
  for (int64_t start = 0; start < length; start += step)
    means.push_back(
        nll.slice(0, start, std::min(start + step, length)).to(at::kDouble).mean().item<double>());
  return means;
}

}  // namespace hijack
