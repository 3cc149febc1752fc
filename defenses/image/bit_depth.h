#pragma once
#include "defenses/kinds.h"
#include "defenses/parameters.h"

namespace hijack {

/// Bit-depth reduction (feature squeezing, Xu et al. 2018, arXiv:1704.01155): every channel is rounded to
/// 2^bits levels. Surrogate: straight-through.
class BitDepth : public ImageTransform {
 public:
  static constexpr const char* kName = "bit_depth";
  static constexpr const char* kHelp = "keeps few levels per color channel (Xu et al. 2018)";

  struct Parameters {
    int64_t bits = 4;

    template <class Visitor>
    void visit(Visitor&& field) {
      field("bits", bits, "bits per color channel, 1 to 7");
    }
    void check() const;
  };

  explicit BitDepth(const Parameters& parameters);
  std::string name() const override { return written_name(kName, parameters_); }

  Tensor apply(const Tensor& image, Random& random) const override;

 private:
  Parameters parameters_;
};

}  // namespace hijack
