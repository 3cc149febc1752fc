#pragma once
#include <functional>
#include <string>
#include <vector>

#include "defenses/kinds.h"
#include "defenses/parameters.h"
#include "defenses/resources.h"

// Detectors that look at images and replies. All of them report score and threshold for every submission, the
// passed ones too. A submission without image passes with score 0.

namespace hijack {

/// Detectors that ask the model about benign submissions use only the first so many.
inline constexpr size_t kMostCalibrationSubmissions = 60;

/// The parameters that these detectors share.
struct ThresholdParameters {
  double threshold = 0;
  double quantile = 0;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("threshold", threshold, "scores above it are flagged; 0 = fitted on benign submissions");
    field("quantile", quantile,
          "share of benign submissions that pass when the threshold is fitted; 0 = the run's false-positive "
          "rate");
  }
  void check() const;
};

/// One threshold, given by the user or fitted by `calibrate`.
class FittedDetector : public Defense {
 public:
  double threshold() const { return calibration_.threshold; }
  std::vector<Calibration> calibrations() const override { return {calibration_}; }

 protected:
  using Scores = std::function<std::vector<double>(const std::vector<Submission>&)>;
  /// To be called once, by the constructor of the most derived class. `scores` is called for benign
  /// submissions with images unless the user gave a threshold. Throws Error for too few.
  void fit(const ThresholdParameters& parameters, const DefenseResources& resources, const Scores& scores);

 private:
  Calibration calibration_;
};

/// The bare responder of the resources; throws Error naming the defense when there is none.
Responder calibration_responder(const DefenseResources& resources, const std::string& defense);

/// Rejects submissions before the model answers them. May ask the next responder probes of its own.
class SubmissionDetector : public FittedDetector {
 public:
  struct Verdict {
    double score = 0;       ///< larger = more suspicious
    std::string note = {};  ///< for the trace
  };
  /// One verdict for each submission, depending on that submission alone. All have an image, none twice.
  virtual std::vector<Verdict> verdicts(const std::vector<Submission>& submissions,
                                        const Responder& next) const = 0;
  std::vector<Reply> answer(const std::vector<Submission>& submissions, const Responder& next) const final;
};

/// A submission detector whose verdict depends on the image alone: each image is judged once.
class ImageDetector : public SubmissionDetector {
 public:
  std::vector<Verdict> verdicts(const std::vector<Submission>& submissions,
                                const Responder& next) const final;

 protected:
  /// image [1,3,H,W]; without gradients.
  virtual Verdict judge(const Tensor& image) const = 0;
  /// To be called once, by the constructor of the most derived class. Throws as FittedDetector::fit.
  void fit_on_images(const ThresholdParameters& parameters, const DefenseResources& resources);
};

/// Looks at the model's reply, and replaces what it flags.
class ReplyDetector : public FittedDetector {
 public:
  struct Replacement {
    Reply reply;
    bool rejected = false;  ///< the user gets no answer
    std::string note = {};
  };
  /// One score for each submission and the reply it got. All have an image.
  virtual std::vector<double> scores(const std::vector<Submission>& submissions,
                                     const std::vector<std::string>& replies) const = 0;
  /// What users get in place of flagged replies; by default a rejection.
  virtual std::vector<Replacement> replacements(const std::vector<Submission>& flagged,
                                                const Responder& next) const;
  /// Submissions that a defense further in rejected keep their rejection and are not scored.
  std::vector<Reply> answer(const std::vector<Submission>& submissions, const Responder& next) const final;

 protected:
  /// Scores the bare model's replies to benign submissions. Throws as FittedDetector::fit, and Error without
  /// bare responder.
  void fit_on_replies(const ThresholdParameters& parameters, const DefenseResources& resources);
};

}  // namespace hijack
