#pragma once
#include "defenses/kinds.h"
#include "defenses/parameters.h"

namespace hijack {

/// Median filter (feature squeezing, Xu et al. 2018) over size x size pixels, edges repeated. An even size
/// takes the upper median and reaches one pixel further up and left, as scipy does. Surrogate: the same, with
/// the gradient of the selected pixel (exact almost everywhere).
class Median : public ImageTransform {
 public:
  static constexpr const char* kName = "median";
  static constexpr const char* kHelp = "takes the median of each neighborhood (Xu et al. 2018)";

  struct Parameters {
    int64_t size = 3;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("size", size, "side of the neighborhood in pixels, 2 to 7");
    }
    void check() const;
  };

  explicit Median(const Parameters& parameters);
  std::string name() const override { return written_name(kName, parameters_); }

  Tensor apply(const Tensor& image, Random& random) const override;
  Tensor surrogate(const Tensor& image, Random& random) const override;

 private:
  Parameters parameters_;
};

/// image [1,C,H,W] -> the same shape; differentiable.
Tensor median_filter(const Tensor& image, int64_t size);

}  // namespace hijack
