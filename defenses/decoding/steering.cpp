#include "defenses/decoding/steering.h"

#include <ATen/ATen.h>

#include "models/decoding.h"
#include "models/state_hooks.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr double kTinyLength = 1e-8;

}  // namespace

SteeringVectors SteeringVectors::of(const TensorMap& tensors, const std::string& where) {
  const auto read = [&](const char* name) {
    const auto found = tensors.find(name);
    if (found == tensors.end() || found->second.dim() != 2 || found->second.size(0) < 1 ||
        found->second.scalar_type() != at::kFloat || !at::isfinite(found->second).all().item<bool>())
      throw Error(where + " has no finite float32 matrix '" + name + "'.");
    return found->second;
  };
  SteeringVectors vectors{read("directions"), read("references")};
  if (vectors.directions.sizes() != vectors.references.sizes())
    throw Error(where + ": directions and references are of different shapes.");
  return vectors;
}

Tensor steered(const Tensor& h, const Tensor& direction, const Tensor& reference, double alpha) {
  const Tensor x = h.to(at::kFloat), from = x - reference;
  const Tensor unit = direction / direction.norm().clamp_min(kTinyLength);
  // a cosine is at most 1, so that this is clamp(cos, 0, 1) with the gradient of its inside
  const Tensor share =
      (from.matmul(unit) / from.norm(2, -1).clamp_min(kTinyLength)).relu().unsqueeze(-1);  // [..,1]
  return (x - alpha * share * x.norm(2, -1, /*keepdim=*/true) * unit).to(h.scalar_type());
}

void Steering::Parameters::check() const {
  check_range("alpha", alpha, 0, 1000);
  check_range("layer", static_cast<double>(layer), 0, 100000);
}

Steering::Steering(const Parameters& parameters, const DefenseResources& resources)
    : parameters_(parameters) {
  parameters_.check();
  const TrainedFile file = read_trained(parameters_.file, resources, kName);
  if (!resources.model) throw Error("The defense steering needs the model whose states it changes.");
  const StateHooks& hooks = state_hooks_of(*resources.model);
  const SteeringVectors vectors = SteeringVectors::of(file.tensors, file.where);
  if (vectors.directions.size(1) != hooks.width())
    throw Error(file.where + " is for states of width " + std::to_string(vectors.directions.size(1)) +
                "; the model's have " + std::to_string(hooks.width()) + ".");
  layer_ = parameters_.layer > 0 ? parameters_.layer : file.number("layer", 1, hooks.layers());
  check_hook({HookPoint::kResidual, layer_}, std::min(hooks.layers(), vectors.directions.size(0)));
  const at::Device device = resources.model->device();
  direction_ = vectors.directions[layer_ - 1].to(device);
  reference_ = vectors.references[layer_ - 1].to(device);
}

void Steering::change_decoding(Decoding& decoding) const {
  for (const TokenChoice tokens : {TokenChoice::kLast, TokenChoice::kReply})
    decoding.changes.push_back(
        {{HookPoint::kResidual, layer_},
         [direction = direction_, reference = reference_, alpha = parameters_.alpha](const Tensor& states) {
           return steered(states, direction, reference, alpha);
         },
         tokens});
}

}  // namespace hijack
