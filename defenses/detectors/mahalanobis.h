#pragma once
#include "defenses/detectors/state_classifier.h"

namespace hijack {

/// Mean and inverse covariance of states, the covariance shrunk toward a multiple of the identity as Ledoit
/// and Wolf (2004, "A well-conditioned estimator for large-dimensional covariance matrices") find best.
struct Gaussian {
  Tensor mean;       ///< [D]
  Tensor precision;  ///< [D,D]
  double shrinkage = 0;

  /// states [n,D], n >= 2.
  static Gaussian of(const Tensor& states);
  /// Mahalanobis distance of x [..,D] -> [..].
  Tensor distance(const Tensor& x) const;
};

/// Mahalanobis contrast (after RCS, 2025, arXiv:2512.12069, without its projection; one class alone: Lee et
/// al. 2018): how much farther a state is from the honest ones than from those under a hijack, each by its
/// own shrunk covariance. Logit: d_honest - d_hijack.
class Mahalanobis : public StateClassifier {
 public:
  static constexpr const char* kName = "mahalanobis";
  static constexpr const char* kHelp =
      "rejects submissions whose hidden state before the reply lies nearer to hijacks than to honest ones "
      "(after RCS, 2025; departs: no learned projection, one layer)";

  using Parameters = LearnedParameters;

  /// Throws Error as read_trained and LastStates, and as FittedDetector::fit.
  Mahalanobis(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }

  /// The tensors of a trained file, and the contrast d_honest - d_hijack of states [..,D].
  struct Contrast {
    Gaussian honest, hijack;
    TensorMap tensors() const;
    static Contrast of(const TensorMap& tensors, const std::string& where);
    Tensor operator()(const Tensor& x) const { return honest.distance(x) - hijack.distance(x); }
  };

 private:
  Tensor logits(const Tensor& states) const override;

  Parameters parameters_;
  Contrast contrast_;
};

}  // namespace hijack
