#pragma once
#include "defenses/detectors/detectors.h"
#include "defenses/detectors/reply_score.h"

namespace hijack {

/// Output-side judge, ours: the reply is scored without the submitted image (reply_score.h), and rejected
/// above the threshold. An attacker who knows it has to make the reply likely without the image, which a
/// canary is not.
class Judge : public ReplyDetector {
 public:
  static constexpr const char* kName = "judge";
  static constexpr const char* kHelp =
      "rejects replies that the model, or one of its own, finds unlikely without the image";

  struct Parameters {
    ReplyScorer::Parameters score = {};
    ThresholdParameters limit = {};

    template <class Visitor>
    void visit(Visitor&& field) {
      score.visit(field);
      limit.visit(field);
    }
    void check() const { score.check(), limit.check(); }
  };

  /// Throws Error without model; and, where the threshold has to be fitted, without bare responder or with
  /// too few benign images.
  Judge(const Parameters& parameters, const DefenseResources& resources)
      : parameters_(parameters), scorer_(parameters.score, resources, kName) {
    parameters_.check();
    parameters_.score.own.shorten();
    fit_on_replies(parameters_.limit, resources);
  }

  std::string name() const override { return written_name(kName, parameters_); }
  double ceiling() const override { return scorer_.ceiling(); }
  std::vector<double> scores(const std::vector<Submission>& submissions,
                             const std::vector<std::string>& replies) const override {
    return scorer_.scores(submissions, replies);
  }

 private:
  Parameters parameters_;
  ReplyScorer scorer_;
};

}  // namespace hijack
