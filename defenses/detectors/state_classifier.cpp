#include "defenses/detectors/state_classifier.h"

#include "defenses/detectors/logistic.h"
#include "src/base/error.h"

namespace hijack {

void StateClassifier::open(const TrainedFile& file, int64_t width, const DefenseResources& resources,
                           const std::string& defense) {
  constexpr int64_t kDeepest = 100'000;
  states_ = std::make_unique<LastStates>(resources, std::vector{file.number("layer", 0, kDeepest)}, defense);
  const int64_t own = states_->hooks().width();
  if (width != own)
    throw Error(file.where + " is of states of " + std::to_string(width) +
                " numbers, but this model's have " + std::to_string(own) + ".");
}

std::vector<SubmissionDetector::Verdict> StateClassifier::verdicts(const std::vector<Submission>& submissions,
                                                                   const Responder&) const {
  const Tensor found = logits(states_->of(submissions).select(1, 0));
  std::vector<Verdict> all;
  for (int64_t i = 0; i < found.size(0); ++i) all.push_back({.score = logistic(found[i].item<double>())});
  return all;
}

Tensor StateClassifier::image_score(const Tensor& image) const {
  const double limit = std::log(threshold() / std::max(1 - threshold(), 1e-300));
  return score_for_attacks(logits(states_->of_image(image).select(1, 0)).mean(), limit, 1, threshold());
}

}  // namespace hijack
