#include "src/training/parameters.h"

#include "src/base/error.h"

namespace hijack {
namespace {

bool writes_residual(const std::string& name) {
  for (const char* part : {"out_proj.weight", "fc2.weight", "o_proj.weight", "down_proj.weight"})
    if (name.ends_with(part)) return true;
  return false;
}

// the matrices of the blocks: everything else is an embedding, a head, a convolution or a vector
bool is_block_matrix(const std::string& name) {
  return name.find(".layers.") != std::string::npos && name.ends_with(".weight") &&
         name.find("norm") == std::string::npos;
}

/// The nearest matrix with orthonormal rows (or columns), by five Newton-Schulz steps.
Tensor orthogonalized(const Tensor& matrix) {
  const bool tall = matrix.size(0) > matrix.size(1);
  Tensor x = tall ? matrix.t() : matrix;
  x = x / (x.norm() + 1e-7);
  for (int i = 0; i < 5; ++i) {
    const Tensor a = at::matmul(x, x.t());
    x = 3.4445 * x + at::matmul(-4.7750 * a + 2.0315 * at::matmul(a, a), x);
  }
  return tall ? x.t() : x;
}

/// Muon (Jordan et al. 2024): orthogonalized Nesterov momentum, scaled to AdamW's usual update size (Liu et
/// al. 2025), so that one learning rate serves both. About twice the progress of AdamW per sample here.
void muon_update(Tensor& value, const Tensor& gradient, Tensor& momentum, double rate, double weight_decay) {
  momentum.mul_(0.95).add_(gradient);
  const Tensor update = orthogonalized(gradient + 0.95 * momentum);
  const double scale = 0.2 * std::sqrt(static_cast<double>(std::max(value.size(0), value.size(1))));
  value.mul_(1 - rate * weight_decay).add_(update, -rate * scale);
}

bool is_norm(const std::string& name) {
  return name.find("norm") != std::string::npos;
}

}  // namespace

Parameters::Parameters(uint64_t seed, at::Device device) : random_(seed), device_(device) {}

ParameterSource Parameters::source(int64_t depth) {
  return [this, depth](const std::string& name, at::IntArrayRef shape) {
    if (const auto known = values_.find(name); known != values_.end()) return known->second;
    Random draws = random_.fork(name);
    Tensor value;
    if (name.ends_with(".bias")) {
      value = at::zeros(shape);
    } else if (shape.size() == 1 && is_norm(name)) {
      value = at::ones(shape);
    } else if (shape.size() == 1 || name.find("embed_tokens") != std::string::npos ||
               name.find("position_embedding") != std::string::npos) {
      value = draws.normal_tensor(shape) * 0.02;
    } else {
      double deviation = 1.0 / std::sqrt(static_cast<double>(c10::multiply_integers(shape) / shape[0]));
      if (writes_residual(name)) deviation /= std::sqrt(2.0 * static_cast<double>(depth));
      value = draws.normal_tensor(shape) * deviation;
    }
    return values_[name] = value.to(device_).set_requires_grad(true);
  };
}

TensorMap Parameters::model_values() const {
  TensorMap values;
  for (const auto& [name, value] : values_)
    if (!name.starts_with("training.")) values[name] = value;
  return values;
}

int64_t Parameters::count() const {
  int64_t total = 0;
  for (const auto& [name, value] : values_) total += value.numel();
  return total;
}

void Parameters::zero_gradients() {
  for (auto& [name, value] : values_) value.mutable_grad() = Tensor();
}

void Parameters::set_gradients(const std::vector<Tensor>& gradients) {
  size_t i = 0;
  for (auto& [name, value] : values_) value.mutable_grad() = gradients.at(i++);
}

double Parameters::clip_gradients(double limit) {
  std::vector<Tensor> gradients;
  for (auto& [name, value] : values_)
    if (value.grad().defined()) gradients.push_back(value.grad());
  const Tensor norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients)));
  const Tensor scale = at::clamp_max(limit / (norm + 1e-6), 1.0);
  at::_foreach_mul_(gradients, scale);
  return norm.item<double>();
}

void Parameters::step(const std::function<double(const std::string&)>& rate, double weight_decay) {
  // one fused AdamW update per (rate, decay); Muon matrix by matrix
  std::map<std::pair<double, double>, std::vector<std::string>> groups;
  const at::NoGradGuard no_gradients;
  for (auto& [name, value] : values_) {
    const double lr = rate(name);
    if (lr <= 0 || !value.grad().defined()) continue;
    if (!first_.contains(name)) first_[name] = at::zeros_like(value);
    if (is_block_matrix(name))
      muon_update(value, value.grad(), first_.at(name), lr, weight_decay);
    else
      groups[{lr, value.dim() >= 2 ? weight_decay : 0.0}].push_back(name);
  }
  for (const auto& [key, names] : groups) {
    std::vector<Tensor> values, gradients, first, second, steps;
    for (const auto& name : names) {
      Tensor& value = values_.at(name);
      if (!second_.contains(name)) {
        second_[name] = at::zeros_like(value);
        steps_[name] = at::zeros({}, value.options().requires_grad(false));
      }
      steps_[name].add_(1);
      values.push_back(value);
      gradients.push_back(value.grad());
      first.push_back(first_[name]);
      second.push_back(second_[name]);
      steps.push_back(steps_[name]);
    }
    at::_fused_adamw_(values, gradients, first, second, {}, steps, key.first, 0.9, 0.98, key.second, 1e-8,
                      /*amsgrad=*/false, /*maximize=*/false);
  }
}

TensorMap Parameters::state() const {
  TensorMap all;
  const auto put = [&](const char* kind, const TensorMap& part) {
    for (const auto& [name, value] : part) all[std::string(kind) + name] = value.detach().cpu();
  };
  put("value/", values_);
  put("first/", first_);
  put("second/", second_);
  put("steps/", steps_);
  return all;
}

void Parameters::restore(const TensorMap& state, const std::string& where) {
  const at::NoGradGuard no_gradients;
  for (auto& [name, value] : values_) {
    const auto stored = state.find("value/" + name);
    if (stored == state.end() || stored->second.sizes() != value.sizes())
      throw Error(where + ": parameter " + name + " is missing or has another shape; start without --resume");
    value.copy_(stored->second);
    const auto optional = [&](const char* kind, TensorMap& part) {
      const auto found = state.find(kind + name);
      if (found != state.end()) part[name] = found->second.to(device_).clone();
    };
    optional("first/", first_);
    optional("second/", second_);
    optional("steps/", steps_);
  }
}

void Parameters::reset_moments() {
  first_.clear();
  second_.clear();
  steps_.clear();
}

}  // namespace hijack
