#pragma once
#include "src/base/tensor.h"

// How much of a change people may see. Images [N,3,H,W] in [0,1], both of one shape.

namespace hijack {

/// Peak signal-to-noise ratio in dB, 10 log10(1 / MSE) over all values; infinite for equal images.
double psnr(const Tensor& a, const Tensor& b);

/// Structural similarity, 1 for equal images (Wang et al. 2004): a Gaussian window of 11 x 11 with sigma 1.5,
/// K1 = 0.01, K2 = 0.03, population variances, the mean over the windows that lie inside the image and over
/// the three channels. NaN where a side is shorter than the window.
double ssim(const Tensor& a, const Tensor& b);
/// The same as a scalar tensor of the images' type, differentiable.
Tensor ssim_tensor(const Tensor& a, const Tensor& b);

}  // namespace hijack
