#pragma once
#include "defenses/detectors/detectors.h"
#include "defenses/detectors/reply_score.h"

namespace hijack {

/// Caption fallback, after ECSO (Gou et al. 2024, arXiv:2403.09572), F the model, v the image, x the prompt:
///   y = F(v, x)      harmless: y is the answer. Else    c = F(v, P_trans(x))      answer = F(P_gen(c, x))
/// the model describes the image with the prompt in mind, the image is dropped, and the model answers from
/// description and prompt. Nothing is rejected; the trace says what was flagged, and the description. Departs
/// from the paper: replies are flagged by the scores of reply_score.h above a fitted threshold (the paper
/// asks the model, with the image in view, whether its reply is harmful; by=question comes near it, without
/// the image, which could talk to the judge), and the wording of both prompts is ours. The description is
/// made by the attacked model from the attacked image: an image that controls it controls what the second
/// answer is based on.
class Ecso : public ReplyDetector {
 public:
  static constexpr const char* kName = "ecso";
  static constexpr const char* kHelp =
      "answers from a description of the image when the reply is suspicious (after ECSO, Gou et al. 2024; "
      "departs: flagged by a fitted score of the reply instead of the model's own verdict)";

  struct Parameters {
    ReplyScorer::Parameters score = {};
    ThresholdParameters limit = {};
    std::string describe = "Describe the image so that this can be answered without it: {prompt}";
    std::string answer = "The image shows: {caption}\n{prompt}";

    template <class Visitor>
    void visit(Visitor&& field) {
      score.visit(field);
      limit.visit(field);
      field("describe", describe, "what the model is asked for the description; {prompt} becomes the prompt");
      field("answer", answer,
            "what it is asked instead, with {caption} and {prompt} in their places, without image");
    }
    void check() const;
  };

  /// Throws Error as Judge does.
  Ecso(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }
  double ceiling() const override { return scorer_.ceiling(); }
  std::vector<double> scores(const std::vector<Submission>& submissions,
                             const std::vector<std::string>& replies) const override;
  std::vector<Replacement> replacements(const std::vector<Submission>& flagged,
                                        const Responder& next) const override;

 private:
  Parameters parameters_;
  ReplyScorer scorer_;
};

}  // namespace hijack
