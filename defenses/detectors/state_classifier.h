#pragma once
#include "defenses/detectors/last_states.h"
#include "defenses/detectors/trained_file.h"

namespace hijack {

/// A detector that has learned to tell hijacks by the residual stream at the last token of the prompt, behind
/// one layer. Score: 1 / (1 + exp(-logit)). Adaptive attacks get the logit itself, averaged over a few benign
/// prompts.
class StateClassifier : public SubmissionDetector {
 public:
  double ceiling() const override { return 1; }
  std::vector<Verdict> verdicts(const std::vector<Submission>& submissions,
                                const Responder& next) const override;
  Tensor image_score(const Tensor& image) const override;

 protected:
  /// Looks at the layer that the file names; width: of the states that it was trained on. Throws Error for a
  /// model of another width, and as LastStates.
  void open(const TrainedFile& file, int64_t width, const DefenseResources& resources,
            const std::string& defense);
  /// states [n,D] -> [n]: above 0 a hijack is likelier. Differentiable where `states` takes a gradient.
  virtual Tensor logits(const Tensor& states) const = 0;

 private:
  std::unique_ptr<LastStates> states_;
};

}  // namespace hijack
