#include "defenses/detectors/logistic.h"

#include <ATen/ATen.h>

#include "src/base/error.h"

namespace hijack {
namespace {

constexpr int kNewtonSteps = 100;
constexpr double kConverged = 1e-10;

/// w [F+1] of the examples x [n,F+1], whose last column is 1 and not penalized; signs [n] of +-1.
class NewtonFit {
 public:
  NewtonFit(const Tensor& x, const Tensor& signs, double l2)
      : x_(x), signs_(signs), penalty_(at::full({x.size(1)}, l2, x.options())) {
    penalty_[-1] = 1e-9;  // keeps the Hessian invertible
  }

  Tensor minimum() const {
    Tensor w = at::zeros({x_.size(1)}, x_.options());
    double now = loss(w);
    for (int step = 0; step < kNewtonSteps; ++step) {
      const Tensor direction = newton_direction(w);
      double size = 1;
      Tensor next = w - direction;
      double then = loss(next);
      for (; then > now && size > 1e-8; size /= 2, then = loss(next)) next = w - size * direction;
      if (!(then <= now)) break;
      w = next;
      if (now - then <= kConverged * (1 + std::abs(now))) break;
      now = then;
    }
    return w;
  }

 private:
  double loss(const Tensor& w) const {
    const Tensor fits = at::softplus(-signs_ * x_.matmul(w)).sum() + (penalty_ * w * w).sum() / 2;
    return fits.item<double>();
  }
  Tensor newton_direction(const Tensor& w) const {
    const Tensor wrong = at::sigmoid(-signs_ * x_.matmul(w));  // probability of the other class
    const Tensor gradient = penalty_ * w - x_.t().matmul(signs_ * wrong);
    const Tensor curvature = wrong * (1 - wrong);
    const Tensor hessian = (x_ * curvature.unsqueeze(1)).t().matmul(x_) + at::diag(penalty_);
    return at::cholesky_solve(gradient.unsqueeze(1), at::linalg_cholesky(hessian)).squeeze(1);
  }

  Tensor x_, signs_, penalty_;
};

}  // namespace

Tensor LogisticModel::logits(const Tensor& x) const {
  const bool plain = !x.requires_grad();
  const Tensor at_work = plain ? x.to(at::kDouble).cpu() : x;
  const auto like = [&](const Tensor& own) { return own.to(at_work.options().requires_grad(false)); };
  return ((at_work - like(mean)) / like(scale)).matmul(like(weights)) + bias;
}

TensorMap LogisticModel::tensors() const {
  return {{"mean", mean}, {"scale", scale}, {"weights", weights}, {"bias", at::full({1}, bias, at::kDouble)}};
}

LogisticModel LogisticModel::of(const TensorMap& tensors, const std::string& where) {
  const auto vector = [&](const char* name) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.scalar_type() != at::kDouble || found->second.dim() != 1 ||
        !found->second.isfinite().all().item<bool>())
      throw Error(where + ": '" + name + "' must be a list of finite float64.");
    return found->second;
  };
  LogisticModel model{vector("mean"), vector("scale"), vector("weights"), 0};
  const Tensor bias = vector("bias");
  if (bias.size(0) != 1 || model.mean.sizes() != model.weights.sizes() ||
      model.scale.sizes() != model.weights.sizes() || (model.scale <= 0).any().item<bool>())
    throw Error(where + ": mean, scale, weights and bias do not fit together.");
  model.bias = bias.item<double>();
  return model;
}

LogisticModel fit_logistic(const Tensor& features, const Tensor& labels, double l2) {
  const at::NoGradGuard no_gradients;
  const Tensor x = features.to(at::kDouble).cpu();
  const int64_t n = x.size(0), positive = labels.sum().item<int64_t>();
  if (positive == 0 || positive == n)
    throw Error("a detector learns from examples of both kinds, and of one there are none.");
  if (!x.isfinite().all().item<bool>())
    throw NotFinite("the features that a detector learns from are not finite");
  LogisticModel model{.mean = x.mean(0), .scale = x.std(0, /*unbiased=*/false), .weights = {}};
  model.scale = at::where(model.scale > 1e-12, model.scale, at::ones_like(model.scale));
  Tensor standard = (x - model.mean) / model.scale, basis;
  if (x.size(1) > n) {  // the minimum lies in the span of the examples
    const auto [u, s, vh] = at::linalg_svd(standard, /*full_matrices=*/false);
    basis = vh;
    standard = u * s;
  }
  const Tensor ones = at::ones({n, 1}, x.options()), signs = labels.to(at::kDouble).cpu() * 2 - 1;
  const Tensor w = NewtonFit(at::cat({standard, ones}, 1), signs, l2).minimum();
  model.bias = w[-1].item<double>();
  const Tensor own = w.narrow(0, 0, w.size(0) - 1);
  model.weights = basis.defined() ? basis.t().matmul(own) : own.clone();
  return model;
}

double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace hijack
