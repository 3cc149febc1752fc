#pragma once
#include <cstdint>
#include <vector>

#include "src/base/tensor.h"

// Which of many latents differ between conditions, when observations come in clusters. Shapes: C clusters, S
// latents.

namespace hijack {

/// differences [C,S]: what one condition has more than another, by cluster -> two-sided p values [S] of the
/// test that signs are a matter of chance: the share of `draws` random sign changes (one for each cluster,
/// the same for all latents) whose mean is as far from 0, counting the observed one. Valid whatever the
/// latents' distributions are; no smaller than 1 / (draws + 1), nor about 2^(1-C). The same seed gives the
/// same values.
std::vector<double> sign_flip_p(const Tensor& differences, uint64_t seed, int64_t draws = 19'999);

/// Adjusted p values (Benjamini and Hochberg 1995): rejecting those at most a makes at most a share a of the
/// rejections wrong, on average. Throws std::invalid_argument for a p outside of [0,1].
std::vector<double> benjamini_hochberg(const std::vector<double>& p);

/// Strengths of latents in the three conditions, by cluster [C,S]; noise may be undefined.
struct LatentValues {
  Tensor clean, noise, hijack;
};
/// The same numbers under labels that mean nothing: which condition is called what is drawn for each cluster.
LatentValues shuffled(const LatentValues& values, uint64_t seed);

struct LatentTests {
  std::vector<int64_t> tested = {};     ///< latents that are active in some condition
  std::vector<double> p = {}, q = {};   ///< of those
  std::vector<double> difference = {};  ///< of those: mean of hijack to the nearer of the others, or 0
  int64_t found(double level = 0.05) const;
};
/// hijack against clean and against noise: the larger of both p values, so that a latent must differ from
/// both, and to the same side.
LatentTests test_latents(const LatentValues& values, uint64_t seed);

}  // namespace hijack
