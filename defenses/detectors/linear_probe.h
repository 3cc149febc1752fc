#pragma once
#include "defenses/detectors/logistic.h"
#include "defenses/detectors/state_classifier.h"

namespace hijack {

/// A logistic regression of the residual stream (a linear probe, Alain & Bengio 2016, arXiv:1610.01644; as a
/// baseline for malicious images in HiddenDetect and RCS).
class LinearProbe : public StateClassifier {
 public:
  static constexpr const char* kName = "linear_probe";
  static constexpr const char* kHelp =
      "rejects submissions whose hidden state before the reply a linear probe takes for a hijack (Alain & "
      "Bengio 2016)";

  using Parameters = LearnedParameters;

  /// Throws Error as read_trained and LastStates, and as FittedDetector::fit.
  LinearProbe(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }

 private:
  Tensor logits(const Tensor& states) const override { return model_.logits(states); }

  Parameters parameters_;
  LogisticModel model_;
};

}  // namespace hijack
