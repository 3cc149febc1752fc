#pragma once
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "defenses/kinds.h"
#include "defenses/parameters.h"
#include "defenses/resources.h"

// Detectors that look at images and replies. All of them report score and threshold for every submission, the
// passed ones too. A submission without image passes with score 0.

namespace hijack {

/// The parameters that these detectors share.
struct ThresholdParameters {
  double threshold = 0;
  double quantile = 0;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("threshold", threshold, "scores above it are flagged; 0 = fitted on benign submissions");
    field(
        "quantile", quantile,
        "share of benign submissions that must pass when the threshold is fitted, 1 - alpha; 1 = it is their "
        "largest score; 0 = the run's false-positive rate");
  }
  void check() const;
};

/// One threshold, given by the user or fitted by `calibrate` (calibration.h).
class FittedDetector : public Defense {
 public:
  double threshold() const { return calibration_.threshold; }
  std::vector<Calibration> calibrations() const override { return {calibration_}; }
  /// The largest score that there can be with these parameters; infinite where nothing bounds it.
  virtual double ceiling() const { return std::numeric_limits<double>::infinity(); }

 protected:
  using Scores = std::function<std::vector<double>(const std::vector<Submission>&)>;
  /// To be called once, by the constructor of the most derived class, when its parameters are set. `scores`
  /// is called for the first most_calibration_scores of the benign submissions with images unless the user
  /// gave a threshold. One score for one content: the same submission twice says no more than once, and
  /// counts once. Throws Error for too few.
  void fit(const ThresholdParameters& parameters, const DefenseResources& resources, const Scores& scores);

  /// What a score depends on: submissions with equal keys have equal scores.
  virtual uint64_t score_key(const Submission& submission) const { return content_key(submission); }
  /// What is counted, for messages: "different benign submissions with an image".
  virtual std::string counted() const { return "different benign submissions with an image"; }

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

 protected:
  /// Fits the threshold on verdicts that ask nobody. To be called once, by the constructor of the most
  /// derived class. Throws as FittedDetector::fit.
  void fit_on_submissions(const ThresholdParameters& parameters, const DefenseResources& resources);
};

/// A submission detector whose verdict depends on the image alone: each image is judged once.
class ImageDetector : public SubmissionDetector {
 public:
  std::vector<Verdict> verdicts(const std::vector<Submission>& submissions,
                                const Responder& next) const final;

 protected:
  /// image [1,3,H,W]; without gradients.
  virtual Verdict judge(const Tensor& image) const = 0;
  uint64_t score_key(const Submission& submission) const final { return content_key(submission.image); }
  std::string counted() const final { return "different benign images"; }
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
