#include "attacks/loop/attack_state_io.h"

#include <ATen/ATen.h>

#include <limits>

#include "models/checkpoint/safetensors.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr std::string_view kOptimizerPrefix = "optimizer.", kObjectivePrefix = "objective.";

Tensor taken(const TensorMap& tensors, const std::string& name, at::ScalarType type) {
  const auto entry = tensors.find(name);
  if (entry == tensors.end() || entry->second.scalar_type() != type)
    throw Error("it has no tensor '" + name + "' of the right type");
  return entry->second;
}

Tensor image_named(const TensorMap& tensors, const std::string& name) {
  const Tensor image = taken(tensors, name, at::kFloat);
  if (image.dim() != 4 || image.size(1) != 3 || image.numel() == 0 ||
      !image.ge(0).logical_and(image.le(1)).all().item<bool>())
    throw Error("its tensor '" + name + "' is not an image");
  return image;
}

/// NaN for the checkpoints of older builds, which held no time.
double seconds_in(const TensorMap& tensors) {
  if (!tensors.contains("seconds")) return std::numeric_limits<double>::quiet_NaN();
  const Tensor seconds = taken(tensors, "seconds", at::kDouble);
  if (seconds.numel() != 1 || !(seconds.item<double>() >= 0))
    throw Error("its time is not a number of seconds");
  return seconds.item<double>();
}

AttackState state_from(const TensorMap& tensors, at::Device device) {
  // clone(): independent of the mapped file, which the next checkpoint replaces.
  const auto owned = [&](const Tensor& tensor) { return tensor.clone().to(device); };
  AttackState state;
  state.image = owned(image_named(tensors, "image"));
  if (tensors.contains("best_image")) state.best_image = owned(image_named(tensors, "best_image"));
  const Tensor steps = taken(tensors, "steps", at::kLong);
  const Tensor score = taken(tensors, "best_score", at::kDouble);
  if (steps.numel() != 2 || score.numel() != 1) throw Error("its counters have the wrong size");
  state.step = steps.flatten()[0].item<int64_t>();
  state.best_step = steps.flatten()[1].item<int64_t>();
  state.best_score = score.flatten()[0].item<double>();
  if (state.step > 0) {
    const Tensor losses = taken(tensors, "losses", at::kDouble).contiguous();
    state.losses.assign(losses.const_data_ptr<double>(), losses.const_data_ptr<double>() + losses.numel());
  }
  if (state.step < 0 || state.losses.size() != static_cast<size_t>(state.step) ||
      state.best_step > state.step)
    throw Error("its counters contradict each other");
  state.seconds = seconds_in(tensors);
  for (const auto& [name, tensor] : tensors) {
    if (name.starts_with(kOptimizerPrefix))
      state.optimizer[name.substr(kOptimizerPrefix.size())] = owned(tensor);
    if (name.starts_with(kObjectivePrefix))
      state.objective[name.substr(kObjectivePrefix.size())] = owned(tensor);
  }
  return state;
}

}  // namespace

void save_attack_state(const AttackState& state, const std::filesystem::path& file) {
  TensorMap tensors;
  tensors["image"] = state.image.cpu();
  if (state.best_image.defined()) tensors["best_image"] = state.best_image.cpu();
  tensors["steps"] = at::tensor({state.step, state.best_step}, at::kLong);
  tensors["best_score"] = at::tensor({state.best_score}, at::kDouble);
  if (state.seconds >= 0) tensors["seconds"] = at::tensor({state.seconds}, at::kDouble);
  if (!state.losses.empty()) tensors["losses"] = at::tensor(state.losses, at::kDouble);
  for (const auto& [name, tensor] : state.optimizer)
    tensors[std::string(kOptimizerPrefix) + name] = tensor.cpu();
  for (const auto& [name, tensor] : state.objective)
    tensors[std::string(kObjectivePrefix) + name] = tensor.cpu();
  // a trial that ends beside this one takes an empty folder away (lockstep)
  if (file.has_parent_path()) std::filesystem::create_directories(file.parent_path());
  save_safetensors(tensors, file, {{"format", "hijack attack state 1"}});
}

AttackState load_attack_state(const std::filesystem::path& file, at::Device device) {
  const TensorMap tensors = load_safetensors(file);
  try {
    return state_from(tensors, device);
  } catch (const Error& error) {
    throw Error(file.string() + " is not the checkpoint of an attack: " + error.what() + ".");
  }
}

}  // namespace hijack
