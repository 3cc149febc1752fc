#pragma once
#include "defenses/detectors/detectors.h"

namespace hijack {

/// Detects pictures that show something else once they are resized (Decamouflage, Kim et al. 2020,
/// arXiv:2010.03735, its scaling method): the image is brought to the size that the model works at, by the
/// filter of the pipeline, and back to its own,
///   score = mean (x - up(down(x)))^2 over pixels, values in units of 1/255
/// or, with measure=ssim, 1 - SSIM. Departs: the threshold is fitted on benign images as for all detectors.
/// An image that is no larger than that size is halved instead: there is nothing else to compare.
class ScalingCheck : public ImageDetector {
 public:
  static constexpr const char* kName = "scaling_check";
  static constexpr const char* kHelp =
      "rejects images that are another picture at the size the model works at: compares with the down- and "
      "upscaled self (after Decamouflage, Kim et al. 2020; departs: threshold as for all detectors here)";

  struct Parameters {
    std::string filter = "bilinear";
    std::string size = {};
    std::string measure = "mse";
    ThresholdParameters limit = {};

    template <class Visitor>
    void visit(Visitor&& field) {
      field("filter", filter,
            "of the pipeline that is protected: nearest, bilinear, bicubic or area (as OpenCV), "
            "pillow-nearest, pillow-box, pillow-bilinear, pillow-bicubic or pillow-lanczos");
      field("size", size, "that it is scaled to, 224 or 640x480; empty = the model's input size");
      field("measure", measure, "mse or ssim");
      limit.visit(field);
    }
    void check() const;
  };

  /// Throws Error without a size and without a model, or with too few benign images where the threshold has
  /// to be fitted.
  ScalingCheck(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }
  double ceiling() const override;
  /// Differentiable.
  Tensor image_score(const Tensor& image) const override;

 protected:
  Verdict judge(const Tensor& image) const override;

 private:
  /// The image as it comes back.
  Tensor scaled_and_back(const Tensor& image) const;

  Parameters parameters_;
  int64_t height_ = 0, width_ = 0;
};

}  // namespace hijack
