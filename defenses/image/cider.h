#pragma once
#include "defenses/detectors.h"

namespace hijack {

/// Similarity drop under denoising, after CIDER (Xu et al. 2024, arXiv:2407.21659): denoising removes an
/// adversarial perturbation and with it what the image made the model believe; an honest image keeps its
/// meaning. score = the largest 1 - cos(f(x), f(d(x))) over `rounds` rounds of denoising, f: the image
/// features of the defended model, averaged over the image tokens ("mean"), or compared token by token and
/// then averaged ("tokens").
/// Differs from the paper in two ways. It compares the image with its denoised self, not each of them with
/// the text: that needs an encoder of text and image into one space, which models here do not offer. And it
/// denoises with a filter, not with a diffusion model. Scores see the image alone: give calibration images of
/// the kind that users submit.
class Cider : public ImageDetector {
 public:
  static constexpr const char* kName = "cider";
  static constexpr const char* kHelp =
      "rejects images whose features move when the image is denoised (after CIDER, Xu et al. 2024)";

  struct Parameters {
    std::string denoiser = "total_variation";
    int64_t rounds = 1;
    std::string pool = "mean";
    ThresholdParameters limit = {};

    template <class Visitor>
    void visit(Visitor&& field) {
      field("denoiser", denoiser, "median, blur or total_variation");
      field("rounds", rounds, "how often the image is denoised, 1 to 20");
      field("pool", pool, "mean: of all image tokens; tokens: each by itself");
      limit.visit(field);
    }
    void check() const;
  };

  /// Throws Error without model, or with too few benign images where the threshold has to be fitted.
  Cider(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }
  double ceiling() const override { return 2; }  ///< of 1 - cos
  /// The score, differentiable.
  Tensor image_score(const Tensor& image) const override;

 private:
  Verdict judge(const Tensor& image) const override;
  Tensor features(const Tensor& image) const;  // [1 or T_img, D]

  Parameters parameters_;
  std::shared_ptr<const VisionLanguageModel> model_;
};

}  // namespace hijack
