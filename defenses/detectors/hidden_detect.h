#pragma once
#include "defenses/detectors/detectors.h"
#include "defenses/detectors/last_states.h"
#include "defenses/detectors/trained_file.h"

namespace hijack {

/// How much a model is about to refuse, layer by layer (HiddenDetect, Jiang et al. 2025, arXiv:2502.14744):
/// the residual stream at the last token of the prompt through the final norm and the head, and the cosine
/// between those logits and the indicator of the first tokens of refusal words.
class RefusalStrength {
 public:
  /// layers: ascending, from 0. Throws Error as LastStates.
  RefusalStrength(const DefenseResources& resources, std::vector<int64_t> layers, const std::string& defense);
  /// [n,K] for each submission and layer.
  Tensor of(const std::vector<Submission>& submissions) const;
  /// The same of one image and a few benign prompts, differentiable.
  Tensor of_image(const Tensor& image) const;

 private:
  Tensor strength(const Tensor& states) const;

  LastStates states_;
  Tensor words_;  ///< first tokens of refusal words, int64
};

/// Area under a curve at steps of 1, by trapezoids: [..,K] -> [..]; the value itself where K is 1.
Tensor trapezoid_area(const Tensor& curve);

/// HiddenDetect: rejects what the model itself, inside, is about to refuse. Score: area under the strength of
/// refusal over a window of layers. Departs: words of our own choice, threshold fitted. It looks for
/// refusals, so a hijack that asks nothing forbidden passes: the report says how many.
class HiddenDetect : public SubmissionDetector {
 public:
  static constexpr const char* kName = "hidden_detect";
  static constexpr const char* kHelp =
      "rejects submissions that the model is about to refuse in its middle layers (HiddenDetect, Jiang et "
      "al. 2025; departs: refusal words of our own choice, the threshold is fitted)";

  struct Parameters {
    int64_t first = 0;
    int64_t last = 0;
    TrainedParameters file = {};  ///< may name none
    ThresholdParameters limit = {};

    template <class Visitor>
    void visit(Visitor&& field) {
      field("first", first, "first layer of the window; 0 = as the trained file says, or the middle one");
      field("last", last,
            "last layer of the window; 0 = as the trained file says, or the one before the end");
      field("trained", file.trained,
            "file that 'hijack train detector hidden_detect' wrote: the window where prompts that are "
            "refused differ most from benign ones; \"\" = none");
      field("sha256", file.sha256,
            "first digits of that file's SHA-256; \"\" = whatever it is. Rows have it");
      limit.visit(field);
    }
    void check() const;
  };

  /// Throws Error for a window that the model does not have, as read_trained, and as FittedDetector::fit.
  HiddenDetect(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }
  std::vector<Verdict> verdicts(const std::vector<Submission>& submissions,
                                const Responder& next) const override;
  Tensor image_score(const Tensor& image) const override;

 private:
  Parameters parameters_;
  std::unique_ptr<RefusalStrength> strength_;
};

}  // namespace hijack
