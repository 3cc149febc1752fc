#include "src/experiment/run/visibility.h"

#include <ATen/ATen.h>

#include "models/endpoint/victim.h"
#include "src/base/image_similarity.h"

namespace hijack {
namespace {

/// NaN says nothing.
double least(double a, double b) {
  return std::isnan(a) || b < a ? b : a;
}

double feature_distance(const VisionLanguageModel& model, const Tensor& image, const Tensor& origin) {
  const at::NoGradGuard no_grad;
  const auto features = [&](const Tensor& seen) {
    return model.image_features(model.preprocess(seen)).flatten(0, -2).to(at::kDouble);  // [T_img, D]
  };
  const Tensor before = features(origin), after = features(image);
  return 1 - at::cosine_similarity(before, after, 1, 1e-12).mean().item<double>();
}

}  // namespace

Visibility measure_visibility(const VisionLanguageModel& model, const Tensor& image, const Tensor& origin) {
  Visibility seen{.ssim = ssim(image, origin), .psnr = psnr(image, origin)};
  if (behind_an_api(model) == nullptr) seen.feature_distance = feature_distance(model, image, origin);
  return seen;
}

Visibility more_visible(const Visibility& a, const Visibility& b) {
  return {least(a.ssim, b.ssim), least(a.psnr, b.psnr), -least(-a.feature_distance, -b.feature_distance)};
}

}  // namespace hijack
