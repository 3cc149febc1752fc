#include "attacks/wrappers/rgf.h"

#include "src/base/error.h"
#include "src/base/upload.h"

namespace hijack {

Rgf::Rgf(std::unique_ptr<Objective> inner, int64_t queries, double smoothing, uint64_t seed)
    : inner_(std::move(inner)), queries_(queries), smoothing_(smoothing), seed_(seed) {
  if (queries_ < 1) throw Error("queries must be at least 1.");
  if (!(smoothing_ > 0)) throw Error("the smoothing of estimated gradients must be larger than 0.");
}

Tensor Rgf::loss(const Tensor& image, int64_t step) {
  const Tensor here = image.detach();
  Tensor value, gradient;
  {
    const at::NoGradGuard no_gradients;
    Random random = Random(seed_).fork("query directions", static_cast<uint64_t>(step));
    value = inner_->loss(here, step);  // [N]
    gradient = at::zeros_like(here);
    for (int64_t i = 0; i < queries_; ++i) {
      const Tensor direction = uploaded(random.normal_tensor(here.sizes()), here.options());
      const Tensor rise = (inner_->loss(here + smoothing_ * direction, step) - value) / smoothing_;
      gradient += rise.to(here.scalar_type()).view({-1, 1, 1, 1}) * direction / static_cast<double>(queries_);
    }
  }
  // the value of the loss, the gradient of the estimate
  return value + ((image - here) * gradient).sum({1, 2, 3});
}

}  // namespace hijack
