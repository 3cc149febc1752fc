#pragma once
#include "defenses/detectors/detectors.h"
#include "defenses/detectors/text_reader.h"

namespace hijack {

/// Reads the picture (Tesseract) and rejects it when it holds text: the defense against instructions drawn
/// into images. score = letters and digits in words of at least `shortest` that are read with at least
/// `confidence`. `contrast` "plain" reads the picture as people see it; "normalized" first brings every
/// neighborhood to the same contrast (local contrast normalization, Jarrett et al. 2009), so that ink a few
/// gray levels beside its ground, which nobody sees, is read as well. Pictures are enlarged until letters of
/// a small picture have the size that the reader was made for. Text that belongs into a picture is rejected
/// too: that is its cost.
class Ocr : public ImageDetector {
 public:
  static constexpr const char* kName = "ocr";
  static constexpr const char* kHelp = "rejects images with readable text in them (Tesseract)";

  struct Parameters {
    std::string contrast = "plain";
    int64_t shortest = 3;
    double confidence = 50;
    ThresholdParameters limit = {};

    template <class Visitor>
    void visit(Visitor&& field) {
      field("contrast", contrast, "plain; or normalized: also finds ink that is hardly visible");
      field("shortest", shortest,
            "words of fewer letters and digits do not count: textures are full of them");
      field("confidence", confidence, "words that the reader is less sure of do not count, 0 to 100");
      limit.visit(field);
    }
    void check() const;
  };

  /// Throws Error without Tesseract, or with too few benign images where the threshold has to be fitted.
  Ocr(const Parameters& parameters, const DefenseResources& resources);

  std::string name() const override { return written_name(kName, parameters_); }

 private:
  Verdict judge(const Tensor& image) const override;

  Parameters parameters_;
  TextReader reader_;
};

/// Every neighborhood at the same contrast around 1/2: (x - mean) / (deviation + 1/510), both under a
/// Gaussian of `sigma` pixels, squeezed into [0,1]. gray [1,1,H,W] in [0,1] -> the same shape.
Tensor normalize_contrast(const Tensor& gray, double sigma);

}  // namespace hijack
