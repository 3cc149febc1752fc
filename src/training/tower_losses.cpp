#include "src/training/tower_losses.h"

#include "src/pocket/scene.h"

namespace hijack {
namespace {

constexpr double kBackgroundWeight = 0.2;  // of patch labels, else their loss stalls
constexpr double kChannelNoise = 0.3;      // on the reconstruction's input, in units of its RMS

}  // namespace

TowerLosses::TowerLosses(Parameters& parameters, int64_t width, uint64_t seed, int64_t statistics,
                         at::Device device, Labels labels)
    : whitening_(seed + 1, statistics, device), labels_(std::move(labels)) {
  reconstruction_head_ =
      Linear(parameters.source(1), "training.reconstruction_head", width, Whitening::kCoefficients, true);
}

TowerLosses::Losses TowerLosses::operator()(const Tensor& wanted, const Tensor& features,
                                            const Tensor& patch_labels, at::Generator generator) const {
  Tensor weight = at::ones({kPatchClasses}, wanted.options());
  weight[0] = kBackgroundWeight;
  Losses losses;
  losses.label =
      at::cross_entropy_loss(labels_(features).to(at::kFloat).flatten(0, 1), patch_labels.flatten(), weight);
  const Tensor wide = features.to(at::kFloat);
  const Tensor unit = wide * at::rsqrt(wide.square().mean(-1, true) + 1e-6);
  const Tensor noise = at::randn(unit.sizes(), generator, unit.options().requires_grad(false));
  const Tensor got = reconstruction_head_(unit + kChannelNoise * noise).to(at::kFloat);
  losses.reconstruction = (got - wanted).square().mean() / wanted.square().mean();
  return losses;
}

Tensor weak_texture(const Tensor& images, at::Generator generator) {
  const auto options = images.options();
  const int64_t n = images.size(0);
  const Tensor strength = at::rand({n, 1, 1, 1}, generator, options) * (12.0 / 255) *
                          (at::rand({n, 1, 1, 1}, generator, options) < 0.5);
  const Tensor fine = at::randn(images.sizes(), generator, options);
  const Tensor coarse =
      at::upsample_nearest2d(at::randn({n, 3, 28, 28}, generator, options), {kSceneSide, kSceneSide});
  return (images + strength * (0.7 * fine + 0.7 * coarse)).clamp(0, 1);
}

}  // namespace hijack
