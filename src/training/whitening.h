#pragma once
#include "src/base/random.h"
#include "src/base/tensor.h"

namespace hijack {

/// Whitened patch coefficients: what the tower must be able to reconstruct, so that it passes on the free
/// dimensions a hijack needs (see samples/pocket/README.md).
/// Patch [3,14,14] in [0,1] -> 3 orthonormal color axes -> 2-D DCT, the lowest coefficients of each axis ->
/// (c - mean) / (deviation + 3/255).
class Whitening {
 public:
  static constexpr int64_t kCoefficients = 120;
  /// Statistics over `images` generated images (scenes and textures).
  Whitening(uint64_t seed, int64_t images, at::Device device);

  /// images [N,3,112,112] in [0,1] -> [N,64,120].
  Tensor coefficients(const Tensor& images) const;
  /// `count` random filters [count,3,14,14] that read random combinations of whitened coefficients, with unit
  /// output variance, for an input in [0,1].
  Tensor random_filters(int64_t count, Random& random) const;

 private:
  Tensor raw(const Tensor& images) const;
  Tensor basis_;  // [120, 588]
  Tensor mean_, scale_;
};

}  // namespace hijack
