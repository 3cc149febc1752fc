#include "defenses/detectors/mahalanobis.h"

#include <ATen/ATen.h>

#include "src/base/error.h"

namespace hijack {
namespace {

Tensor float_tensor(const TensorMap& tensors, const std::string& name, int64_t dimensions,
                    const std::string& where) {
  const auto found = tensors.find(name);
  if (found == tensors.end() || found->second.scalar_type() != at::kFloat ||
      found->second.dim() != dimensions || !found->second.isfinite().all().item<bool>())
    throw Error(where + ": '" + name + "' must be finite float32 of " + std::to_string(dimensions) +
                " dimensions.");
  return found->second;
}

Gaussian gaussian_of(const TensorMap& tensors, const std::string& kind, const std::string& where) {
  Gaussian made{float_tensor(tensors, kind + "_mean", 1, where),
                float_tensor(tensors, kind + "_precision", 2, where)};
  const int64_t width = made.mean.size(0);
  if (made.precision.size(0) != width || made.precision.size(1) != width)
    throw Error(where + ": mean and precision of '" + kind + "' do not fit together.");
  return made;
}

}  // namespace

Gaussian Gaussian::of(const Tensor& states) {
  const at::NoGradGuard no_gradients;
  const Tensor x = states.to(at::kDouble).cpu() - states.to(at::kDouble).cpu().mean(0);
  const auto n = static_cast<double>(x.size(0)), p = static_cast<double>(x.size(1));
  const Tensor covariance = x.t().matmul(x) / n;
  const double scale = covariance.diagonal().mean().item<double>();
  const double square = covariance.square().sum().item<double>();
  const double far = (square - p * scale * scale) / p;  // from the multiple of the identity
  const double noise = (x.square().sum(1).square().sum().item<double>() / n - square) / (n * p);
  Gaussian made{.mean = states.to(at::kFloat).cpu().mean(0), .precision = {}};
  made.shrinkage = far > 0 ? std::clamp(noise / far, 0.0, 1.0) : 1;
  const Tensor identity = at::eye(x.size(1), x.options());
  // states that never change leave a covariance of nothing
  const Tensor shrunk = (1 - made.shrinkage) * covariance + (made.shrinkage * scale + 1e-12) * identity;
  made.precision = at::cholesky_inverse(at::linalg_cholesky(shrunk)).to(at::kFloat);
  return made;
}

Tensor Gaussian::distance(const Tensor& x) const {
  const auto like = [&](const Tensor& own) { return own.to(x.options().requires_grad(false)); };
  const Tensor away = x - like(mean);
  return (away.matmul(like(precision)) * away).sum(-1).clamp_min(0).add(1e-12).sqrt();
}

TensorMap Mahalanobis::Contrast::tensors() const {
  return {{"honest_mean", honest.mean},
          {"honest_precision", honest.precision},
          {"hijack_mean", hijack.mean},
          {"hijack_precision", hijack.precision}};
}

Mahalanobis::Contrast Mahalanobis::Contrast::of(const TensorMap& tensors, const std::string& where) {
  Contrast made{gaussian_of(tensors, "honest", where), gaussian_of(tensors, "hijack", where)};
  if (made.honest.mean.sizes() != made.hijack.mean.sizes())
    throw Error(where + ": its two kinds of states have different widths.");
  return made;
}

Mahalanobis::Mahalanobis(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters) {
  parameters_.check();
  const TrainedFile file = read_trained(parameters_.file, resources, kName);
  contrast_ = Contrast::of(file.tensors, file.where);
  open(file, contrast_.honest.mean.size(0), resources, kName);
  fit_on_submissions(parameters_.limit, resources);
}

Tensor Mahalanobis::logits(const Tensor& states) const {
  return contrast_(states.requires_grad() ? states : states.to(at::kDouble));
}

}  // namespace hijack
