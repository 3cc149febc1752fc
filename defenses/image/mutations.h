#pragma once
#include <string>
#include <vector>

#include "src/base/random.h"
#include "src/base/tensor.h"

namespace hijack {

/// The ten harmless changes of images of JailGuard (Zhang et al. 2023, section 4.1). Their strengths are
/// drawn; the ranges are ours where the paper gives none.
enum class Mutation {
  kHorizontalFlip,
  kVerticalFlip,
  kRotation,      ///< by 0 to 180 degrees
  kCrop,          ///< 70 to 95 % of each side, enlarged
  kMask,          ///< a black rectangle of 10 to 30 % of each side
  kSolarization,  ///< what is at or above 0 to 200/255 is inverted
  kGray,
  kBlur,          ///< Gaussian, sigma 0.1 to 2
  kColorJitter,   ///< brightness by 0 to 2, hue by up to half a turn
  kPosterization  ///< 1 or 2 bits per channel
};
constexpr int64_t kMutations = 10;

/// One of them applied: [1,3,H,W] in [0,1] -> the same, not rounded; differentiable (posterizing
/// straight-through).
Tensor mutated(Mutation kind, const Tensor& image, Random& random);

/// Sets to draw from. "policy": the combination that the paper found best, rotation .34, blur .45,
/// posterization .21. "all": each of the ten equally likely.
const std::vector<std::string>& mutation_sets();
Mutation drawn_mutation(const std::string& set, Random& random);

/// Parts with their strength given. Counter-clockwise about the center, bilinear, black where nothing is.
Tensor rotated(const Tensor& image, double degrees);
Tensor solarized(const Tensor& image, double threshold);  ///< threshold in [0,1]
/// The upper `bits` of 8 stay, as PIL's posterize has it; straight-through.
Tensor posterized(const Tensor& image, int64_t bits);
/// Colors turned about the gray axis by `turns` of 360 degrees, then times `brightness`; clipped to [0,1].
Tensor color_jittered(const Tensor& image, double brightness, double turns);

}  // namespace hijack
