#pragma once
#include "defenses/detectors/detectors.h"
#include "defenses/detectors/last_states.h"
#include "defenses/detectors/logistic.h"
#include "defenses/detectors/trained_file.h"

namespace hijack {

/// A logistic regression of the residual stream at the last token of the prompt (a linear probe, Alain &
/// Bengio 2016, arXiv:1610.01644; as a baseline for malicious images in HiddenDetect and RCS). Score: its
/// probability of a hijack. Adaptive attacks get its logit, averaged over a few benign prompts.
class LinearProbe : public SubmissionDetector {
 public:
  static constexpr const char* kName = "linear_probe";
  static constexpr const char* kHelp =
      "rejects submissions whose hidden state before the reply a linear probe takes for a hijack (Alain & "
      "Bengio "
      "2016)";

  struct Parameters {
    TrainedParameters file = {};
    ThresholdParameters limit = {};

    template <class Visitor>
    void visit(Visitor&& field) {
      file.visit(field);
      limit.visit(field);
    }
    void check() const { limit.check(); }
  };

  /// Throws Error as read_trained and LastStates, and as FittedDetector::fit.
  LinearProbe(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }
  double ceiling() const override { return 1; }
  std::vector<Verdict> verdicts(const std::vector<Submission>& submissions,
                                const Responder& next) const override;
  Tensor image_score(const Tensor& image) const override;

 private:
  Parameters parameters_;
  LogisticModel model_;
  std::unique_ptr<LastStates> states_;
};

}  // namespace hijack
