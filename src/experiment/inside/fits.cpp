#include "src/experiment/inside/fits.h"

#include <ATen/ATen.h>

#include "defenses/detectors/logistic.h"
#include "src/base/error.h"

namespace hijack {
namespace {

Tensor labeled(const Tensor& features, const Tensor& mask) {
  return features.index_select(0, mask.nonzero().squeeze(1));
}

}  // namespace

Scorer logistic_fit(const Tensor& features, const Tensor& labels) {
  return [model = fit_logistic(features, labels)](const Tensor& x) { return model.logits(x); };
}

Mahalanobis::Contrast contrast_of(const Tensor& states, const Tensor& labels) {
  const Tensor hijacks = labeled(states, labels), honest = labeled(states, labels.logical_not());
  if (std::min(hijacks.size(0), honest.size(0)) < 2)
    throw Error("a detector learns from examples of both kinds, and of one there are fewer than two.");
  return {Gaussian::of(honest), Gaussian::of(hijacks)};
}

Scorer contrast_fit(const Tensor& features, const Tensor& labels) {
  return [contrast = contrast_of(features, labels)](const Tensor& x) { return contrast(x.to(at::kDouble)); };
}

Fit selecting_fit(int64_t most) {
  return [most](const Tensor& features, const Tensor& labels) -> Scorer {
    const Tensor hijacks = labeled(features, labels), honest = labeled(features, labels.logical_not());
    if (std::min(hijacks.size(0), honest.size(0)) < 2)
      throw Error("a detector learns from examples of both kinds, and of one there are fewer than two.");
    const Tensor spread = (hijacks.var(0) + honest.var(0)).sqrt().clamp_min(1e-9);
    const Tensor difference = ((hijacks.mean(0) - honest.mean(0)) / spread).abs();
    const Tensor chosen = std::get<1>(difference.topk(std::min(most, features.size(1))));
    return [chosen, model = fit_logistic(features.index_select(1, chosen), labels)](const Tensor& x) {
      return model.logits(x.index_select(1, chosen));
    };
  };
}

}  // namespace hijack
