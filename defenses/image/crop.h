#pragma once
#include "defenses/kinds.h"
#include "defenses/parameters.h"

namespace hijack {

/// Random crop and rescale (Guo et al. 2018, arXiv:1711.00117): a part with `keep` of each side, at a random
/// place, enlarged to the original size (PIL's bilinear filter). Surrogate: the same draw, differentiable.
class Crop : public ImageTransform {
 public:
  static constexpr const char* kName = "crop";
  static constexpr const char* kHelp =
      "cuts out a random part and enlarges it to the original size (Guo et al. 2018)";

  struct Parameters {
    double keep = 0.9;
    uint64_t seed = 0;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("keep", keep, "share of each side that stays, 0.1 to 1");
      field("seed", seed, "of the draws");
    }
    void check() const;
  };

  explicit Crop(const Parameters& parameters);
  std::string name() const override { return written_name(kName, parameters_); }
  bool randomized() const override { return true; }
  Tensor apply(const Tensor& image, Random& random) const override;
  Tensor surrogate(const Tensor& image, Random& random) const override;

 private:
  Parameters parameters_;
};

}  // namespace hijack
