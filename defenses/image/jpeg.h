#pragma once
#include "defenses/kinds.h"
#include "defenses/parameters.h"

namespace hijack {

/// JPEG compression of the image (Dziugaite et al. 2016; Guo et al. 2018). Deployed: the codec. Surrogate:
/// the differentiable codec with straight-through rounding.
class Jpeg : public ImageTransform {
 public:
  static constexpr const char* kName = "jpeg";
  static constexpr const char* kHelp = "compresses the image as JPEG";

  struct Parameters {
    int64_t quality = 75;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("quality", quality, "1 (worst) to 100");
    }
    void check() const;
  };

  explicit Jpeg(const Parameters& parameters);
  std::string name() const override { return written_name(kName, parameters_); }
  Tensor apply(const Tensor& image, Random& random) const override;
  Tensor surrogate(const Tensor& image, Random& random) const override;

 private:
  Parameters parameters_;
};

}  // namespace hijack
