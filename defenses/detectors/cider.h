#pragma once
#include "defenses/detectors/detectors.h"

namespace hijack {

/// Similarity drop under denoising, after CIDER (Xu et al. 2024, arXiv:2407.21659): denoising removes an
/// adversarial perturbation, and with it the nearness of image and request that the attack made; an honest
/// image keeps it. With x the image, d_r(x) the image denoised r times, t the prompt,
///   score = max_r cos(E(t), E(x)) - cos(E(t), E(d_r(x)))          r = 1 .. rounds
/// E(x): the image features as the decoder of the defended model gets them, averaged over the image tokens;
/// E(t): its token embeddings of the prompt, averaged.
/// against=image, ours: the image stands in for the text, 1 - cos(E(x), E(d_r(x))): how far denoising moves
/// the features, whatever was asked.
/// Departures from the paper: it denoises with a filter, where the paper takes a diffusion model at seven
/// strengths; the threshold is fitted on the worst round of each benign submission, where the paper pools the
/// rounds; the prompt is embedded without begin token. A prompt without tokens passes with score 0.
class Cider : public SubmissionDetector {
 public:
  static constexpr const char* kName = "cider";
  static constexpr const char* kHelp =
      "rejects images that denoising moves away from the prompt (after CIDER, Xu et al. 2024; departs: "
      "denoises with a filter instead of a diffusion model)";

  struct Parameters {
    std::string denoiser = "total_variation";
    int64_t rounds = 1;
    std::string pool = "mean";
    std::string against = "text";
    ThresholdParameters limit = {};

    template <class Visitor>
    void visit(Visitor&& field) {
      field("denoiser", denoiser, "median, blur or total_variation");
      field("rounds", rounds, "how often the image is denoised, 1 to 20");
      field("pool", pool, "mean: of all image tokens; tokens: each by itself");
      field("against", against,
            "text: similarity to the prompt, as in the paper; image: to the image before denoising, ours");
      limit.visit(field);
    }
    void check() const;
  };

  /// Throws Error without model, or with too few benign images where the threshold has to be fitted; and, for
  /// against=text, where the model shows no token embeddings.
  Cider(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }
  double ceiling() const override { return 2; }  ///< of a difference of cosines
  std::vector<Verdict> verdicts(const std::vector<Submission>& submissions,
                                const Responder& next) const override;
  /// Differentiable. Against a text, an attacker does not know which: the mean score over benign prompts;
  /// without any, the score against the image, which bounds how far the features move for every text.
  Tensor image_score(const Tensor& image) const override;

 protected:
  uint64_t score_key(const Submission& submission) const override;
  std::string counted() const override;

 private:
  /// Of the image and of what each round makes of it: [1 or T_img, D] each.
  std::vector<Tensor> rounds_of(const Tensor& image) const;
  Tensor text_of(const std::string& prompt) const;  // [1,D]; undefined for a prompt without tokens

  Parameters parameters_;
  std::shared_ptr<const VisionLanguageModel> model_;
  std::vector<Tensor> benign_texts_;  ///< [1,D] each
};

/// max_r mean_k cos(reference, rounds[0]_k) - cos(reference, rounds[r]_k), a scalar. reference [1,D] or one
/// row for each k; rounds: at least two, [K,D] each.
Tensor similarity_drop(const Tensor& reference, const std::vector<Tensor>& rounds);

}  // namespace hijack
