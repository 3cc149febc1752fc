#include "tests/support/finite_difference.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>
#include <limits>

#include "src/base/random.h"

namespace hijack {
namespace {

/// (f(point + h d) - f(point - h d)) / 2h
double central_difference(const std::function<Tensor(const Tensor&)>& f, const Tensor& point,
                          const Tensor& direction, double step) {
  const at::NoGradGuard no_grad;
  const double above = f(point + step * direction).sum().item<double>();
  const double below = f(point - step * direction).sum().item<double>();
  return (above - below) / (2 * step);
}

}  // namespace

double worst_gradient_error(const std::function<Tensor(const Tensor&)>& f, const Tensor& point,
                            const DifferenceOptions& options) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Tensor leaf = point.detach().clone().requires_grad_(true);
  const Tensor value = f(leaf).sum();
  if (!value.requires_grad()) return kInfinity;
  const Tensor gradient = torch::autograd::grad({value}, {leaf}, {}, std::nullopt, false, true)[0];
  if (!gradient.defined() || !gradient.isfinite().all().item<bool>()) return kInfinity;
  const double largest = gradient.abs().max().item<double>();
  if (largest == 0) return kInfinity;

  Random random(options.seed);
  const Tensor flat = gradient.flatten();
  double worst = 0;
  for (int64_t i = 0; i < std::min(options.coordinates, flat.numel()); ++i) {
    const int64_t coordinate = random.below(flat.numel());
    Tensor direction = at::zeros_like(flat);
    direction[coordinate] = 1;
    const double measured =
        central_difference(f, point.detach(), direction.view(point.sizes()), options.step);
    worst = std::max(worst, std::abs(measured - flat[coordinate].item<double>()) / largest);
  }
  Tensor direction = random.normal_tensor(point.sizes()).to(point.scalar_type());
  direction = direction / direction.norm();
  const double measured = central_difference(f, point.detach(), direction, options.step);
  const double expected = (gradient * direction).sum().item<double>();
  return std::max(worst, std::abs(measured - expected) / gradient.norm().item<double>());
}

}  // namespace hijack
