#include "attacks/scaling/scaling.h"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <cmath>

#include "models/preprocess/resizer.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "src/base/nearest.h"
#include "src/base/random.h"

namespace hijack {
namespace {

double scalar_product(const Tensor& a, const Tensor& b) {
  return (a.to(at::kDouble) * b.to(at::kDouble)).sum().item<double>();
}

/// The problem in pixel values, whatever the reader's scale.
class LeastSquares {
 public:
  LeastSquares(const Tensor& origin, const Tensor& wanted, const PhotoReader& read,
               const ScalingConfig& config)
      : read_(read), wanted_(wanted), tolerance_(config.tolerance / 255) {
    const at::NoGradGuard no_grad;
    // what one step of a pixel value is in the reader's units: 1 / std of a normalization, 0 for padding
    const Tensor span = read(at::ones_like(origin)) - read(at::zeros_like(origin));
    counts_ = span.abs() > 1e-6;
    scale_ = at::where(counts_, span, at::ones_like(span));
    const double epsilon = config.epsilon.empty() ? 1 : parse_epsilon(config.epsilon);
    low_ = (origin - epsilon).clamp(0, 1);
    high_ = (origin + epsilon).clamp(0, 1);
  }

  Tensor project(const Tensor& image) const { return at::minimum(at::maximum(image, low_), high_); }

  struct Value {
    double loss = 0;  ///< half the sum of squares
    Tensor gradient;
  };
  Value at_point(const Tensor& image) const {
    const Tensor x = image.detach().requires_grad_(true);
    const Tensor beyond = at::softshrink(residual(x), tolerance_);
    const Tensor loss = beyond.square().sum() / 2;
    const Tensor gradient = torch::autograd::grad({loss}, {x})[0];
    return {loss.item<double>(), gradient.detach()};
  }

  /// In 1/255.
  double error_of(double loss) const {
    return 255 * std::sqrt(2 * loss / std::max(1.0, counts_.sum().item<double>()));
  }

 private:
  Tensor residual(const Tensor& image) const {
    return ((read_(image) - wanted_) / scale_) * counts_.to(scale_.scalar_type());
  }

  const PhotoReader& read_;
  Tensor wanted_, counts_, scale_, low_, high_;
  double tolerance_;
};

/// The first step is a probe of a tenth of the range, from which the curvature is known.
double probe_step(const Tensor& gradient) {
  return .1 / std::max(1e-12, gradient.abs().max().item<double>());
}

}  // namespace

void check_scaling(const ScalingConfig& config) {
  const auto filters = resizer_names();
  if (std::find(filters.begin(), filters.end(), config.filter) == filters.end())
    throw Error(unknown_name("filter", config.filter, filters));
  if (!config.target_size.empty()) parse_size(config.target_size);
  if (!config.epsilon.empty()) parse_epsilon(config.epsilon);
  if (!(config.tolerance >= 0 && config.tolerance <= 128))
    throw Error("--scaling-tolerance must be from 0 to 128, in 1/255.");
  if (config.steps < 1 || config.steps > 100'000) throw Error("--scaling-steps must be from 1 to 100000.");
}

Constraint scaling_budget(const ScalingConfig& config) {
  if (config.epsilon.empty()) return Box{};
  return LinfBall{parse_epsilon(config.epsilon)};
}

std::optional<ScalingResult> scaling_attack(const Tensor& origin, const Tensor& wanted,
                                            const PhotoReader& read, const ScalingConfig& config,
                                            const ScalingHooks& hooks) {
  check_scaling(config);
  const LeastSquares problem(origin, wanted, read, config);
  Tensor x = origin;
  LeastSquares::Value here = problem.at_point(x);
  ScalingResult result{origin, {}, 0};
  double best = here.loss, step_size = probe_step(here.gradient);
  for (int64_t step = 1; step <= config.steps && here.loss > 0; ++step) {
    if (hooks.stop.stop_requested()) return std::nullopt;
    const Tensor next = problem.project(x - step_size * here.gradient);
    const LeastSquares::Value there = problem.at_point(next);
    const Tensor moved = next - x, bent = there.gradient - here.gradient;
    const double curvature = scalar_product(moved, bent), length = scalar_product(moved, moved);
    if (length == 0) break;
    // rounding makes the loss bumpy near its end: a step that finds no curvature there is a probe again
    step_size = curvature > 0 ? length / curvature : probe_step(there.gradient);
    x = next, here = there;
    if (here.loss < best) best = here.loss, result.image = x, result.best_step = step;
    result.errors.push_back(problem.error_of(here.loss));
    if (hooks.after_step) hooks.after_step(step, result.errors.back());
  }
  result.image = project_to_lattice(scaling_budget(config), result.image, origin);
  return result;
}

Tensor shuffled_change(const Tensor& image, const Tensor& origin, uint64_t seed) {
  const Tensor change = (image - origin).flatten(2);  // [1,3,H*W]
  const int64_t pixels = change.size(2);
  Random random = Random(seed).fork("shuffled change");
  std::vector<int64_t> order(static_cast<size_t>(pixels));
  for (int64_t i = 0; i < pixels; ++i) order[static_cast<size_t>(i)] = i;
  for (int64_t i = pixels - 1; i > 0; --i)
    std::swap(order[static_cast<size_t>(i)], order[static_cast<size_t>(random.between(0, i))]);
  const Tensor places = at::tensor(order, at::kLong).to(change.device());
  return quantize((origin + change.index_select(2, places).view_as(origin)).clamp(0, 1));
}

}  // namespace hijack
