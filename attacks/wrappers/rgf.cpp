#include "attacks/wrappers/rgf.h"

#include <ATen/ATen.h>

#include "src/base/error.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

constexpr const char* kFlatSteps = "steps_without_difference";

}  // namespace

Rgf::Rgf(std::unique_ptr<Objective> inner, int64_t queries, double smoothing, uint64_t seed)
    : ObjectiveDecorator(std::move(inner)), queries_(queries), smoothing_(smoothing), seed_(seed) {
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
  flat_ = stepwise() && !gradient.any().item<bool>();
  // the value of the loss, the gradient of the estimate
  return value + ((image - here) * gradient).sum({1, 2, 3});
}

void Rgf::after_step(const Tensor& image, int64_t step) {
  ObjectiveDecorator::after_step(image, step);
  flat_steps_ += flat_;
}

ObjectiveState Rgf::state() const {
  ObjectiveState state = ObjectiveDecorator::state();
  if (stepwise()) state[kFlatSteps] = at::tensor({flat_steps_}, at::kLong);
  return state;
}

void Rgf::restore(const ObjectiveState& state) {
  ObjectiveDecorator::restore(state);
  flat_steps_ = steps_without_difference(state);
}

int64_t steps_without_difference(const ObjectiveState& state) {
  const auto found = state.find(kFlatSteps);
  if (found == state.end()) return 0;
  if (found->second.numel() != 1 || found->second.scalar_type() != at::kLong)
    throw Error(std::string("The checkpoint's ") + kFlatSteps + " is no count.");
  return found->second.item<int64_t>();
}

}  // namespace hijack
