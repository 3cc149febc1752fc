#include "attacks/loop/evaluate.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include "src/base/error.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

[[noreturn]] void fail(const std::string& what, int64_t step, const std::string& cause) {
  throw Failure(what + " at step " + std::to_string(step) + ": " + cause);
}

void require_finite(bool finite, const std::string& what, int64_t step) {
  if (!finite) throw NotFinite("the " + what + " is not finite at step " + std::to_string(step));
}

/// Throws where loss or gradient (undefined: not asked for) say that something is wrong. All numbers that the
/// processor wants to know of a step are read at once.
void check_numbers(Evaluation& now, int64_t step, bool with_gradient, bool may_be_zero) {
  std::vector<Tensor> wanted = {now.loss.mean(), now.loss.isfinite().all()};
  if (now.gradient.defined()) wanted.push_back(now.gradient.isfinite().all());
  if (now.gradient.defined() && step == 0) wanted.push_back(now.gradient.any());
  for (Tensor& number : wanted) number = number.to(at::kDouble);
  const std::vector<double> numbers = read_numbers(at::stack(wanted));
  now.mean_loss = numbers[0];
  require_finite(numbers[1] != 0, "loss", step);
  if (!with_gradient) return;
  if (!now.gradient.defined())
    fail("the loss does not depend on the image", step,
         "most likely a part of the model (vision tower or preprocessing) is detached from the graph.");
  require_finite(numbers[2] != 0, "gradient", step);
  if (step == 0 && !may_be_zero && numbers[3] == 0)
    fail("the gradient is zero everywhere", step,
         "a part of the model is detached from the graph, a clamp cut it at saturated pixels, or, in 16 bit, "
         "it underflowed (then run the model in float32).");
}

}  // namespace

Evaluation evaluate(Objective& objective, const Tensor& image, int64_t step, bool with_gradient,
                    const GradientsOf& gradients_of) {
  const at::AutoGradMode mode(with_gradient);
  const Tensor leaf = image.detach().clone().requires_grad_(with_gradient);
  const Tensor loss = objective.loss(leaf, step);
  TORCH_CHECK(loss.dim() == 1 && loss.size(0) == image.size(0), "an objective returns one loss per image");
  Evaluation now{leaf.detach(), loss.detach(), {}};
  std::vector<Tensor> gradients;
  if (with_gradient && loss.requires_grad()) {
    std::vector<Tensor> wanted = objective.leaves();
    wanted.insert(wanted.begin(), leaf);
    gradients = gradients_of ? gradients_of(loss, wanted)
                             : torch::autograd::grad({loss.sum()}, wanted, {}, std::nullopt, false,
                                                     /*allow_unused=*/true);
    now.gradient = gradients[0];
  }
  check_numbers(now, step, with_gradient, objective.stepwise());
  if (!gradients.empty()) objective.take(std::span<const Tensor>(gradients).subspan(1));
  return now;
}

}  // namespace hijack
