#include "attacks/feature_matching.h"

namespace hijack {
namespace {

Tensor at_least_float(const Tensor& x) {
  return x.to(at::promote_types(x.scalar_type(), at::kFloat));
}

}  // namespace

FeatureMatching::FeatureMatching(std::shared_ptr<const VisionLanguageModel> model, const Tensor& target,
                                 FeatureDistance distance)
    : model_(std::move(model)), distance_(distance) {
  const at::NoGradGuard no_gradients;
  wanted_ = at_least_float(model_->image_features(model_->preprocess(target)));
}

Tensor FeatureMatching::loss(const Tensor& image, int64_t) {
  std::vector<Tensor> losses;
  for (int64_t n = 0; n < image.size(0); ++n) {
    const Tensor got = at_least_float(model_->image_features(model_->preprocess(image.narrow(0, n, 1))));
    TORCH_CHECK(got.sizes() == wanted_.sizes(), "image and target have different numbers of tokens");
    losses.push_back(distance_ == FeatureDistance::kCosine
                         ? 1 - at::cosine_similarity(got, wanted_, -1).mean()
                         : (got - wanted_).square().mean() / wanted_.square().mean());
  }
  return at::stack(losses);
}

}  // namespace hijack
