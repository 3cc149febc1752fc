#include "defenses/image/cider.h"

#include "defenses/image/denoise.h"
#include "src/base/error.h"
#include "src/base/image.h"

namespace hijack {

void Cider::Parameters::check() const {
  check_choice("denoiser", denoiser, denoiser_names());
  check_range("rounds", static_cast<double>(rounds), 1, 20);
  check_choice("pool", pool, {"mean", "tokens"});
  limit.check();
}

Cider::Cider(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters), model_(resources.model) {
  parameters_.check();
  if (!model_) throw Error("Defense 'cider' needs a vision-language model whose image features it can use.");
  fit_on_images(parameters_.limit, resources);
}

Tensor Cider::features(const Tensor& image) const {
  const Tensor all = model_->image_features(model_->preprocess(image)).flatten(0, 1);  // [T_img, D]
  return parameters_.pool == "mean" ? all.mean(0, true) : all;
}

Tensor Cider::image_score(const Tensor& image) const {
  const Tensor before = features(image);
  Tensor cleaner = image, worst;
  for (int64_t round = 0; round < parameters_.rounds; ++round) {
    cleaner = denoised(parameters_.denoiser, cleaner);
    const Tensor drop = 1 - at::cosine_similarity(before, features(cleaner), 1, 1e-8).mean();
    worst = worst.defined() ? at::maximum(worst, drop) : drop;
  }
  return worst;
}

SubmissionDetector::Verdict Cider::judge(const Tensor& image) const {
  return {.score = image_score(image.to(model_->device())).item<double>()};
}

}  // namespace hijack
