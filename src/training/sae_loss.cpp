#include "src/training/sae_loss.h"

#include <ATen/ATen.h>

#include <limits>

#include "src/base/registry.h"

namespace hijack {
namespace {

constexpr double kAuxiliaryShare = 1.0 / 32;  // Gao et al. 2024

/// What the architecture makes of u [n,S]: the latents, and what is paid for them beside the error.
struct Activated {
  Tensor latents;
  Tensor penalty = {};
  bool revives = false;
};

Activated activated_topk(const SaeLossConfig& config, const SaeLeaves&, const Tensor& before) {
  const auto [values, places] = before.topk(config.k, -1);
  return {at::zeros_like(before).scatter(-1, places, values.relu()), {}, true};
}

Activated activated_batch(const SaeLossConfig& config, const SaeLeaves&, const Tensor& before) {
  const Tensor flat = before.relu().flatten();
  const auto [values, places] = flat.topk(std::min(config.k * before.size(0), flat.numel()));
  return {at::zeros_like(flat).scatter(0, places, values).view_as(before), {}, true};
}

Activated activated_relu(const SaeLossConfig& config, const SaeLeaves& leaves, const Tensor& before) {
  const Tensor latents = before.relu();
  return {latents, config.l1 * (latents * leaves.decoder.norm(2, 1)).sum(-1).mean()};
}

/// The straight-through gradients are those of terms that are 0: factor * (threshold - its own value).
Activated activated_jump(const SaeLossConfig& config, const SaeLeaves& leaves, const Tensor& before) {
  const Tensor& threshold = leaves.threshold;
  const Tensor fixed = threshold.detach();
  const Tensor open = (before > fixed).to(before.scalar_type());
  const Tensor distance = ((before - fixed) / config.bandwidth).detach();
  const Tensor kernel = (distance.abs() < 0.5).to(before.scalar_type()) / config.bandwidth;
  const Tensor nothing = threshold - fixed;
  return {before * open - kernel * fixed * nothing, config.l0 * (open - kernel * nothing).sum(-1).mean()};
}

struct Architecture {
  const char* name;
  Activated (*activate)(const SaeLossConfig&, const SaeLeaves&, const Tensor&);
};

const Registry<Architecture>& architectures() {
  static const Registry<Architecture> table("architecture", {{"topk", activated_topk},
                                                             {"standard", activated_relu},
                                                             {"jumprelu", activated_jump},
                                                             {"batchtopk", activated_batch}});
  return table;
}

Tensor auxiliary_loss(const SaeLossConfig& config, const SaeLeaves& leaves, const Tensor& before,
                      const Tensor& missing, const Tensor& quiet) {
  const Tensor dead = quiet >= static_cast<double>(config.dead_after);
  const int64_t count = dead.sum().item<int64_t>(), wanted = leaves.encoder.size(0) / 2;
  if (count == 0 || wanted == 0) return at::zeros({}, before.options());
  const Tensor candidates = before.masked_fill(dead.logical_not(), -std::numeric_limits<float>::infinity());
  const auto [values, places] = candidates.topk(std::min(wanted, count), -1);
  const Tensor revived = at::zeros_like(before).scatter(-1, places, values.relu());
  const double share =
      kAuxiliaryShare * std::min(1.0, static_cast<double>(count) / static_cast<double>(wanted));
  return (missing.detach() - revived.matmul(leaves.decoder)).square().sum(-1).mean() * share;
}

}  // namespace

std::vector<Tensor> SaeLeaves::all() const {
  std::vector<Tensor> leaves = {encoder, encoder_bias, decoder, decoder_bias};
  if (threshold.defined()) leaves.push_back(threshold);
  return leaves;
}

std::vector<std::string> sae_architecture_names() {
  return architectures().names();
}

SaeLoss sae_loss(const SaeLossConfig& config, const SaeLeaves& leaves, const Tensor& x, Tensor& quiet,
                 double penalty) {
  const Architecture& architecture = architectures().at(config.architecture);
  const Tensor before = (x - leaves.decoder_bias).matmul(leaves.encoder) + leaves.encoder_bias;
  const Activated activated = architecture.activate(config, leaves, before);
  SaeLoss result;
  {
    const at::NoGradGuard no_gradients;
    const Tensor active = activated.latents > 0;
    quiet = at::where(active.any(0), at::zeros_like(quiet), quiet + 1);
    if (active.any().item<bool>())
      result.smallest_kept = activated.latents.masked_select(active).min().item<double>();
  }
  const Tensor missing = x - activated.latents.matmul(leaves.decoder) - leaves.decoder_bias;
  result.loss = missing.square().sum(-1).mean();
  if (activated.penalty.defined()) result.loss = result.loss + penalty * activated.penalty;
  if (activated.revives) result.loss = result.loss + auxiliary_loss(config, leaves, before, missing, quiet);
  return result;
}

}  // namespace hijack
