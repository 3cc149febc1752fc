#pragma once
#include "defenses/kinds.h"
#include "defenses/parameters.h"

namespace hijack {

/// Total-variation minimization (Rudin, Osher, Fatemi 1992; as a defense Guo et al. 2018, here without their
/// pixel dropout): argmin_z 1/2 |z - x|^2 + weight TV(z) per channel, by Chambolle's dual iterations (2004).
/// Surrogate: the same iterations unrolled (exact gradient).
class TotalVariation : public ImageTransform {
 public:
  static constexpr const char* kName = "total_variation";
  static constexpr const char* kHelp = "smooths the image by total-variation minimization (Guo et al. 2018)";

  struct Parameters {
    double weight = 0.03;
    int64_t iterations = 50;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("weight", weight, "strength, 0 to 1; larger = smoother");
      field("iterations", iterations, "of the solver, 1 to 1000");
    }
    void check() const;
  };

  explicit TotalVariation(const Parameters& parameters);
  std::string name() const override { return written_name(kName, parameters_); }

  Tensor apply(const Tensor& image, Random& random) const override;
  Tensor surrogate(const Tensor& image, Random& random) const override;

 private:
  Parameters parameters_;
};

/// image [1,C,H,W] -> the same shape; differentiable.
Tensor denoised_by_total_variation(const Tensor& image, double weight, int64_t iterations);

}  // namespace hijack
