#include "attacks/loop/evaluate.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "src/base/error.h"

namespace hijack {
namespace {

[[noreturn]] void fail(const std::string& what, int64_t step, const std::string& cause) {
  throw Failure(what + " at step " + std::to_string(step) + ": " + cause);
}

void check_finite(const Tensor& values, const std::string& what, int64_t step) {
  if (!values.isfinite().all().item<bool>())
    throw NotFinite("the " + what + " is not finite at step " + std::to_string(step));
}

void check_gradient(const Evaluation& now, int64_t step, bool may_be_zero) {
  if (!now.gradient.defined())
    fail("the loss does not depend on the image", step,
         "most likely a part of the model (vision tower or preprocessing) is detached from the graph.");
  check_finite(now.gradient, "gradient", step);
  if (step == 0 && !may_be_zero && !now.gradient.any().item<bool>())
    fail("the gradient is zero everywhere", step,
         "a part of the model is detached from the graph, a clamp cut it at saturated pixels, or, in 16 bit, "
         "it "
         "underflowed (then run the model in float32).");
}

}  // namespace

Evaluation evaluate(
    Objective& objective, const Tensor& image, int64_t step, bool with_gradient,
    const std::function<std::vector<Tensor>(const Tensor&, const std::vector<Tensor>&)>& gradients_of) {
  const at::AutoGradMode mode(with_gradient);
  const Tensor leaf = image.detach().clone().requires_grad_(with_gradient);
  const Tensor loss = objective.loss(leaf, step);
  TORCH_CHECK(loss.dim() == 1 && loss.size(0) == image.size(0), "an objective returns one loss per image");
  Evaluation now{leaf.detach(), loss.detach(), {}};
  check_finite(now.loss, "loss", step);
  if (!with_gradient) return now;
  std::vector<Tensor> wanted = objective.leaves();
  wanted.insert(wanted.begin(), leaf);
  if (loss.requires_grad()) {
    const auto gradients = gradients_of ? gradients_of(loss, wanted)
                                        : torch::autograd::grad({loss.sum()}, wanted, {}, std::nullopt, false,
                                                                /*allow_unused=*/true);
    now.gradient = gradients[0];
    objective.take(std::span(gradients).subspan(1));
  }
  check_gradient(now, step, objective.stepwise());
  return now;
}

}  // namespace hijack
