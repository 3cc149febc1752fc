#include "src/base/image_similarity.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

namespace hijack {
namespace {

constexpr int64_t kWindow = 11;
constexpr double kSigma = 1.5;
constexpr double kC1 = .01 * .01, kC2 = .03 * .03;  // values run from 0 to 1

/// [planes,1,H,W] -> [planes,1,H-10,W-10]: the weighted mean of each window.
Tensor window_means(const Tensor& planes) {
  const Tensor x = at::arange(-(kWindow / 2), kWindow / 2 + 1, at::kDouble);
  const Tensor bell = at::exp(-x * x / (2 * kSigma * kSigma));
  const Tensor weights = (bell / bell.sum()).to(planes.options());
  return at::conv2d(at::conv2d(planes, weights.view({1, 1, 1, -1})), weights.view({1, 1, -1, 1}));
}

void check_shapes(const Tensor& a, const Tensor& b) {
  TORCH_CHECK(a.dim() == 4 && a.sizes() == b.sizes(), "two images of one shape, not ", a.sizes(), " and ",
              b.sizes());
}

}  // namespace

double psnr(const Tensor& a, const Tensor& b) {
  check_shapes(a, b);
  const double mse = (a.detach().to(at::kDouble) - b.detach().to(at::kDouble)).square().mean().item<double>();
  return mse == 0 ? std::numeric_limits<double>::infinity() : -10 * std::log10(mse);
}

Tensor ssim_tensor(const Tensor& a, const Tensor& b) {
  check_shapes(a, b);
  if (std::min(a.size(2), a.size(3)) < kWindow)
    return at::full({}, std::numeric_limits<double>::quiet_NaN(), a.options());
  const Tensor x = a.flatten(0, 1).unsqueeze(1), y = b.flatten(0, 1).unsqueeze(1);
  const Tensor mean_x = window_means(x), mean_y = window_means(y);
  const Tensor variance_x = window_means(x * x) - mean_x * mean_x;
  const Tensor variance_y = window_means(y * y) - mean_y * mean_y;
  const Tensor covariance = window_means(x * y) - mean_x * mean_y;
  const Tensor likeness = (2 * mean_x * mean_y + kC1) * (2 * covariance + kC2) /
                          ((mean_x * mean_x + mean_y * mean_y + kC1) * (variance_x + variance_y + kC2));
  return likeness.mean();
}

double ssim(const Tensor& a, const Tensor& b) {
  const at::NoGradGuard no_grad;
  return ssim_tensor(a.detach().cpu().to(at::kDouble), b.detach().cpu().to(at::kDouble)).item<double>();
}

}  // namespace hijack
