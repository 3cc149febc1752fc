#include "attacks/objectives/divided.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "src/base/tensor_math.h"

namespace hijack {
namespace {

/// Values [N], each with its gradient [N,3,H,W], undefined where none is wanted.
struct Measured {
  Tensor values, gradient;
};

/// Of this process alone. The graph ends here, and with it what a step holds in memory.
Measured measured(Objective& inner, double weight, const Tensor& image, int64_t step, bool with_gradient) {
  const auto options = at_least_float(image.detach()).options();
  Measured own{at::zeros({image.size(0)}, options),
               with_gradient ? at::zeros(image.sizes(), options) : Tensor()};
  if (weight == 0) return own;
  const Tensor leaf = image.detach().requires_grad_(with_gradient);
  const Tensor loss = weight * inner.loss(leaf, step);
  own.values = loss.detach().to(options);
  if (!with_gradient || !loss.requires_grad()) return own;
  const Tensor gradient =
      torch::autograd::grad({loss.sum()}, {leaf}, {}, std::nullopt, false, /*allow_unused=*/true)[0];
  if (gradient.defined()) own.gradient = gradient.to(options);
  return own;
}

}  // namespace

Divided::Divided(std::unique_ptr<MeanOverContexts> inner, std::shared_ptr<Ranks> ranks)
    : inner_(std::move(inner)), ranks_(std::move(ranks)) {
  const size_t all = inner_->contexts_of_step();
  const auto places = ranks_->share(all);
  weight_ = static_cast<double>(places.second - places.first) / static_cast<double>(all);
  if (weight_ > 0) inner_->take_only(places);
}

Tensor Divided::loss(const Tensor& image, int64_t step) {
  TORCH_CHECK(image.defined(), "contexts are divided for images only");
  const bool with_gradient = at::GradMode::is_enabled() && image.requires_grad();
  const Measured own = measured(*inner_, weight_, image, step, with_gradient);
  const int64_t n = image.size(0);
  Tensor message = own.values;
  if (with_gradient) message = at::cat({own.values, own.gradient.flatten()});
  const Tensor sum = ranks_->sum(message.cpu()).to(message.device());
  const Tensor values = sum.narrow(0, 0, n);
  if (!with_gradient) return values;
  const Tensor gradient = sum.narrow(0, n, sum.numel() - n).view(image.sizes());
  // the value of the loss, and the gradient that belongs to it
  return values + ((image - image.detach()) * gradient).sum({1, 2, 3});
}

}  // namespace hijack
