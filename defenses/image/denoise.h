#pragma once
#include <string>
#include <vector>

#include "src/base/tensor.h"

namespace hijack {

/// What a detector compares an image with: "median" (3x3), "blur" (Gaussian, sigma 1.5) or "total_variation"
/// (weight 0.1, 30 iterations).
const std::vector<std::string>& denoiser_names();

/// [1,3,H,W] in [0,1] -> the same, not rounded; differentiable. `denoiser` is one of the names. Throws Error
/// for images too small to blur.
Tensor denoised(const std::string& denoiser, const Tensor& image);

}  // namespace hijack
