#pragma once
#include <ATen/core/Generator.h>

#include <functional>

#include "src/training/parameters.h"
#include "src/training/whitening.h"

// Shapes: N images of [3,112,112], 64 patches, D width of the decoder.

namespace hijack {

/// What keeps a tower's eyes open, whatever reads its features: each patch can be named, and its whitened
/// content can be told from a noisy copy of the features (see samples/pocket/README.md).
class TowerLosses {
 public:
  /// features [N,64,D] -> logits [N,64,kPatchClasses] of the patches' labels.
  using Labels = std::function<Tensor(const Tensor& features)>;
  /// Makes the reconstruction's head ("training.reconstruction_head") in `parameters`.
  /// statistics: images that the whitening is measured on.
  TowerLosses(Parameters& parameters, int64_t width, uint64_t seed, int64_t statistics, at::Device device,
              Labels labels);

  struct Losses {
    Tensor label, reconstruction;
  };
  /// wanted: whitening().coefficients of the images, patch_labels int64 [N,64]. The generator draws the
  /// channel's noise.
  Losses operator()(const Tensor& wanted, const Tensor& features, const Tensor& patch_labels,
                    at::Generator generator) const;
  const Whitening& whitening() const { return whitening_; }

 private:
  Whitening whitening_;
  Labels labels_;
  Linear reconstruction_head_;
};

/// Half of the images, with weak noise of two scales: what an attack adds must not look like nothing.
Tensor weak_texture(const Tensor& images, at::Generator generator);

}  // namespace hijack
