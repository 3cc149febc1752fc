#pragma once
#include "defenses/kinds.h"
#include "defenses/parameters.h"

namespace hijack {

/// Gaussian blur; the kernel reaches 3 sigma, edges are mirrored without repeating the last pixel. Deployed:
/// OpenCV's 8-bit filter. Surrogate: the same filter in floating point (exact gradient), within 1/255.
class Blur : public ImageTransform {
 public:
  static constexpr const char* kName = "blur";
  static constexpr const char* kHelp = "Gaussian blur";

  struct Parameters {
    double sigma = 1;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("sigma", sigma, "standard deviation in pixels, 0.1 to 10");
    }
    void check() const;
  };

  explicit Blur(const Parameters& parameters);
  std::string name() const override { return written_name(kName, parameters_); }

  Tensor apply(const Tensor& image, Random& random) const override;
  Tensor surrogate(const Tensor& image, Random& random) const override;

 private:
  Parameters parameters_;
};

/// image [1,C,H,W], sides larger than 3 sigma -> the same shape; differentiable.
Tensor gaussian_blur(const Tensor& image, double sigma);

}  // namespace hijack
