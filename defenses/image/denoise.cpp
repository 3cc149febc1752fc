#include "defenses/image/denoise.h"

#include "defenses/image/blur.h"
#include "defenses/image/median.h"
#include "defenses/image/total_variation.h"

namespace hijack {

const std::vector<std::string>& denoiser_names() {
  static const std::vector<std::string> names = {"median", "blur", "total_variation"};
  return names;
}

Tensor denoised(const std::string& denoiser, const Tensor& image) {
  if (denoiser == "median") return median_filter(image, 3);
  if (denoiser == "blur") return gaussian_blur(image, 1.5);
  TORCH_CHECK(denoiser == "total_variation", "there is no denoiser '", denoiser, "'");
  return denoised_by_total_variation(image, 0.1, 30).clamp(0, 1);
}

}  // namespace hijack
