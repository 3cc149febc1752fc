#pragma once
#include "defenses/kinds.h"
#include "defenses/parameters.h"

namespace hijack {

/// Random resize and padding (Xie et al. 2018, arXiv:1711.01991): the image shrinks by a random factor in
/// [smallest, 1] (PIL's bilinear filter) and lies at a random place on black of the original size. Surrogate:
/// the same draw, differentiable through the resampler.
class ResizePad : public ImageTransform {
 public:
  static constexpr const char* kName = "resize_pad";
  static constexpr const char* kHelp =
      "shrinks the image by a random factor and pads it at a random place (Xie et al. 2018)";

  struct Parameters {
    double smallest = 0.8;
    uint64_t seed = 0;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("smallest", smallest, "smallest factor, 0.1 to 1");
      field("seed", seed, "of the draws");
    }
    void check() const;
  };

  explicit ResizePad(const Parameters& parameters);
  std::string name() const override { return written_name(kName, parameters_); }
  bool randomized() const override { return true; }
  Tensor apply(const Tensor& image, Random& random) const override;
  Tensor surrogate(const Tensor& image, Random& random) const override;

 private:
  Parameters parameters_;
};

}  // namespace hijack
