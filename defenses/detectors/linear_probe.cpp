#include "defenses/detectors/linear_probe.h"

#include "src/base/error.h"

namespace hijack {
namespace {

constexpr int64_t kDeepestProbe = 100'000;

}  // namespace

LinearProbe::LinearProbe(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters) {
  parameters_.check();
  const TrainedFile file = read_trained(parameters_.file, resources, kName);
  model_ = LogisticModel::of(file.tensors, file.where);
  states_ =
      std::make_unique<LastStates>(resources, std::vector{file.number("layer", 0, kDeepestProbe)}, kName);
  if (model_.weights.size(0) != states_->hooks().width())
    throw Error(file.where + " is a probe of " + std::to_string(model_.weights.size(0)) +
                " numbers, but this model's states have " + std::to_string(states_->hooks().width()) + ".");
  fit_on_submissions(parameters_.limit, resources);
}

std::vector<SubmissionDetector::Verdict> LinearProbe::verdicts(const std::vector<Submission>& submissions,
                                                               const Responder&) const {
  const Tensor logits = model_.logits(states_->of(submissions).select(1, 0));
  std::vector<Verdict> all;
  for (int64_t i = 0; i < logits.size(0); ++i) all.push_back({.score = logistic(logits[i].item<double>())});
  return all;
}

Tensor LinearProbe::image_score(const Tensor& image) const {
  const double limit = std::log(threshold() / std::max(1 - threshold(), 1e-300));
  return score_for_attacks(model_.logits(states_->of_image(image).select(1, 0)).mean(), limit, 1,
                           threshold());
}

}  // namespace hijack
