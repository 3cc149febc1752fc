#include "defenses/detectors/hidden_detect.h"

#include <ATen/ATen.h>

#include <numeric>

#include "defenses/detectors/first_tokens.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr const char* kRefusalWords[] = {
    "sorry",   "cannot",  "can't",      "unable",    "unfortunately", "refuse",        "decline",
    "illegal", "harmful", "unethical",  "dangerous", "unsafe",        "inappropriate", "apologize",
    "won't",   "against", "impossible", "warning",   "not",           "never"};

constexpr double kMarginOfArea = 0.01;  // a cosine of one layer

std::vector<int64_t> refusal_tokens(const Tokenizer& tokenizer) {
  std::vector<std::string> words;
  for (const std::string word : kRefusalWords) {
    words.push_back(word);
    words.push_back(static_cast<char>(word[0] - 'a' + 'A') + word.substr(1));
  }
  std::vector<int64_t> found = first_tokens(tokenizer, words);
  std::sort(found.begin(), found.end());
  return found;
}

std::vector<int64_t> window(int64_t first, int64_t last) {
  std::vector<int64_t> layers(static_cast<size_t>(last - first + 1));
  std::iota(layers.begin(), layers.end(), first);
  return layers;
}

}  // namespace

RefusalStrength::RefusalStrength(const DefenseResources& resources, std::vector<int64_t> layers,
                                 const std::string& defense)
    : states_(resources, std::move(layers), defense),
      words_(at::tensor(refusal_tokens(resources.model->tokenizer()), at::kLong)) {}

Tensor RefusalStrength::strength(const Tensor& states) const {
  const Tensor logits = states_.hooks().lens_logits(states);
  const Tensor said = logits.index_select(-1, words_.to(logits.device())).sum(-1);
  return said / (logits.norm(2, -1) * std::sqrt(static_cast<double>(words_.numel())) + 1e-12);
}

Tensor RefusalStrength::of(const std::vector<Submission>& submissions) const {
  const at::NoGradGuard no_gradients;
  const Tensor states = states_.of(submissions);
  std::vector<Tensor> rows;  // one after the other: logits are wide
  for (int64_t i = 0; i < states.size(0); ++i) rows.push_back(strength(states[i]));
  return at::stack(rows);
}

Tensor RefusalStrength::of_image(const Tensor& image) const {
  return strength(states_.of_image(image));
}

Tensor trapezoid_area(const Tensor& curve) {
  const int64_t layers = curve.size(-1);
  if (layers == 1) return curve.select(-1, 0);
  return ((curve.narrow(-1, 0, layers - 1) + curve.narrow(-1, 1, layers - 1)) / 2).sum(-1);
}

void HiddenDetect::Parameters::check() const {
  check_range("first", static_cast<double>(first), 0, 1e5);
  check_range("last", static_cast<double>(last), 0, 1e5);
  if (last > 0 && first > last) throw Error("Defense parameter 'first' must not be above 'last'.");
  limit.check();
}

HiddenDetect::HiddenDetect(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters) {
  parameters_.check();
  if (!resources.model) throw Error("Defense 'hidden_detect' needs a model to look into.");
  const int64_t layers = state_hooks_of(*resources.model).layers();
  int64_t first = std::max<int64_t>(layers / 2, 1), last = std::max(first, layers - 1);
  if (!parameters_.file.trained.empty()) {
    const TrainedFile trained = read_trained(parameters_.file, resources, kName);
    first = trained.number("first", 0, layers);
    last = trained.number("last", first, layers);
  }
  if (parameters_.first > 0) first = parameters_.first;
  if (parameters_.last > 0) last = parameters_.last;
  check_hook({HookPoint::kResidual, last}, layers);
  if (first > last)
    throw Error("Defense 'hidden_detect' has no layers from " + std::to_string(first) + " to " +
                std::to_string(last) + ".");
  strength_ = std::make_unique<RefusalStrength>(resources, window(first, last), kName);
  fit_on_submissions(parameters_.limit, resources);
}

std::vector<SubmissionDetector::Verdict> HiddenDetect::verdicts(const std::vector<Submission>& submissions,
                                                                const Responder&) const {
  const Tensor areas = trapezoid_area(strength_->of(submissions)).to(at::kDouble).cpu();
  std::vector<Verdict> all;
  for (int64_t i = 0; i < areas.size(0); ++i) all.push_back({.score = areas[i].item<double>()});
  return all;
}

Tensor HiddenDetect::image_score(const Tensor& image) const {
  return score_for_attacks(trapezoid_area(strength_->of_image(image)).mean(), threshold(), kMarginOfArea,
                           threshold());
}

}  // namespace hijack
