#include "attacks/evaluate.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "src/base/error.h"

namespace hijack {
namespace {

[[noreturn]] void fail(const std::string& what, int64_t step, const std::string& cause) {
  throw Failure(what + " at step " + std::to_string(step) + ": " + cause);
}

void check_loss(const Evaluation& now, int64_t step) {
  if (!now.loss.isfinite().all().item<bool>())
    fail("the loss is not finite", step,
         "most likely an overflow in 16 bit; run the model in float32 or bfloat16.");
}

void check_gradient(const Evaluation& now, int64_t step) {
  if (!now.gradient.defined())
    fail("the loss does not depend on the image", step,
         "most likely a part of the model (vision tower or preprocessing) is detached from the graph.");
  if (!now.gradient.isfinite().all().item<bool>())
    fail("the gradient is not finite", step, "most likely an overflow in 16 bit; run the model in float32.");
  if (step == 0 && !now.gradient.any().item<bool>())
    fail("the gradient is zero everywhere", step,
         "most likely it underflowed in 16 bit (run the model in float32), a part of the model is detached "
         "from the "
         "graph, or a clamp cut it at saturated pixels.");
}

}  // namespace

Evaluation evaluate(Objective& objective, const Tensor& image, int64_t step, bool with_gradient) {
  const at::AutoGradMode mode(with_gradient);
  const Tensor leaf = image.detach().clone().requires_grad_(with_gradient);
  const Tensor loss = objective.loss(leaf, step);
  TORCH_CHECK(loss.dim() == 1 && loss.size(0) == image.size(0), "an objective returns one loss per image");
  Evaluation now{leaf.detach(), loss.detach(), {}};
  check_loss(now, step);
  if (!with_gradient) return now;
  if (loss.requires_grad())
    now.gradient =
        torch::autograd::grad({loss.sum()}, {leaf}, {}, std::nullopt, false, /*allow_unused=*/true)[0];
  check_gradient(now, step);
  return now;
}

}  // namespace hijack
