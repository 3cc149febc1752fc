#pragma once
#include "defenses/kinds.h"
#include "defenses/parameters.h"

namespace hijack {

/// Gaussian noise, clipped to [0,1] and rounded. Surrogate: the same draw without rounding (exact gradient of
/// one sample of the expectation).
class Noise : public ImageTransform {
 public:
  static constexpr const char* kName = "noise";
  static constexpr const char* kHelp = "adds Gaussian noise";

  struct Parameters {
    double sigma = 8;
    uint64_t seed = 0;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("sigma", sigma, "standard deviation in steps of 1/255");
      field("seed", seed, "of the draws");
    }
    void check() const;
  };

  explicit Noise(const Parameters& parameters);
  std::string name() const override { return written_name(kName, parameters_); }
  bool randomized() const override { return true; }
  Tensor apply(const Tensor& image, Random& random) const override;
  Tensor surrogate(const Tensor& image, Random& random) const override;

 private:
  Parameters parameters_;
};

}  // namespace hijack
