#include "attacks/objectives/feature_matching.h"
#include "models/embedding_access.h"
#include "src/base/tensor_math.h"

namespace hijack {
FeatureMatching::FeatureMatching(std::shared_ptr<const VisionLanguageModel> model,
                                 const FeatureTarget& target, FeatureDistance distance)
    : model_(std::move(model)), distance_(distance), layer_(target.layer) {
  const at::NoGradGuard no_gradients;
  wanted_ = at_least_float(target.image.defined()
                               ? image_states(*model_, model_->preprocess(target.image), layer_)
                               : text_states(*model_, target.text, layer_).mean(1, /*keepdim=*/true));
}

Tensor FeatureMatching::loss(const Tensor& image, int64_t) {
  std::vector<Tensor> losses;
  for (int64_t n = 0; n < image.size(0); ++n) {
    Tensor got = at_least_float(image_states(*model_, model_->preprocess(image.narrow(0, n, 1)), layer_));
    if (wanted_.size(1) == 1) got = got.mean(1, /*keepdim=*/true);
    TORCH_CHECK(got.sizes() == wanted_.sizes(), "image and target have different numbers of tokens");
    losses.push_back(distance_ == FeatureDistance::kCosine
                         ? 1 - at::cosine_similarity(got, wanted_, -1).mean()
                         : (got - wanted_).square().mean() / wanted_.square().mean());
  }
  return at::stack(losses);
}

}  // namespace hijack
