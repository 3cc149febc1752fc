#include "models/checkpoint/weights.h"

#include <ATen/ATen.h>

#include <sstream>

#include "models/checkpoint/lora_adapter.h"
#include "models/checkpoint/weight_files.h"
#include "src/base/error.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

std::string shape_text(at::IntArrayRef shape) {
  std::ostringstream text;
  text << shape;
  return text.str();
}

}  // namespace

/// What an adapter adds, by the names that the weights have by now.
struct Weights::Adapted {
  std::string where;
  bool values = true;
  std::map<std::string, LoraAdapter::Delta> deltas;
  std::set<std::string> used = {};
};

namespace {

thread_local Weights::ShapesOnly* shapes_only = nullptr;

}  // namespace

Weights::ShapesOnly::ShapesOnly() {
  shapes_only = this;
}

Weights::ShapesOnly::~ShapesOnly() {
  shapes_only = nullptr;
}

Weights::Weights(const fs::path& folder) : where_(folder.string()) {
  if (shapes_only != nullptr && !has_weights(folder))
    shapes_only_ = shapes_only;
  else
    tensors_ = load_weights(folder);
  if (const AdapterScope* scope = AdapterScope::of(folder))
    adapted_ = std::make_shared<Adapted>(
        Adapted{scope->adapter().where(), scope->values(), scope->adapter().deltas()});
}

Weights::Weights(TensorMap tensors, std::string where)
    : where_(std::move(where)), tensors_(std::move(tensors)) {}

void Weights::rename(const std::function<std::string(const std::string&)>& canonical) {
  TensorMap renamed;
  for (auto& [stored, tensor] : tensors_) {
    const std::string name = canonical(stored);
    if (name.empty()) continue;
    if (!renamed.emplace(name, tensor).second)
      throw Error(where_ + " has two tensors for " + name + ", one of them stored as " + stored);
  }
  tensors_ = std::move(renamed);
  used_.clear();
  if (!adapted_) return;
  std::map<std::string, LoraAdapter::Delta> deltas;
  for (auto& [stored, delta] : adapted_->deltas)
    if (const std::string name = canonical(stored); !name.empty()) deltas.emplace(name, delta);
  adapted_->deltas = std::move(deltas);
}

Tensor Weights::merged(const std::string& name, const Tensor& weight) {
  const auto found = adapted_->deltas.find(name);
  if (found == adapted_->deltas.end()) return weight;
  const LoraAdapter::Delta& delta = found->second;
  if (weight.dim() != 2 || delta.b.size(0) != weight.size(0) || delta.a.size(1) != weight.size(1))
    throw Error(adapted_->where + ": its change of " + name + " is of the shape [" +
                std::to_string(delta.b.size(0)) + ", " + std::to_string(delta.a.size(1)) +
                "], but the weight is " + shape_text(weight.sizes()) + "; the adapter is of another model");
  adapted_->used.insert(name);
  return adapted_->values ? weight.to(at::kFloat) + delta.value() : weight;
}

void Weights::replace(const std::string& prefix, const Weights& others) {
  std::erase_if(tensors_, [&](const auto& one) { return one.first.starts_with(prefix); });
  for (const auto& [name, tensor] : others.tensors_)
    if (!tensors_.emplace(name, tensor).second)
      throw Error(others.where_ + " has a tensor " + name.substr(0, 200) + ", which " + where_ +
                  " has as well");
}

at::IntArrayRef Weights::shape(const std::string& name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error(where_ + " lacks the tensor " + name);
  return found->second.sizes();
}

Tensor Weights::take(const std::string& name, at::IntArrayRef shape) {
  if (shapes_only_ != nullptr) {
    shapes_only_->parameters_ += c10::multiply_integers(shape);
    return at::empty(shape, at::TensorOptions(at::kBFloat16).device(at::kMeta));
  }
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) throw Error(where_ + " lacks the tensor " + name);
  if (found->second.sizes() != shape)
    throw Error(where_ + ": the tensor " + name + " has the shape " + shape_text(found->second.sizes()) +
                ", but config.json asks for " + shape_text(shape));
  if (!at::isFloatingType(found->second.scalar_type()))
    throw Error(where_ + ": the tensor " + name + " is of type " +
                c10::toString(found->second.scalar_type()) +
                "; weights must be floating-point numbers (quantized checkpoints are not supported)");
  used_.insert(name);
  return adapted_ ? merged(name, found->second) : found->second;
}

void Weights::finish() const {
  std::string names;
  int64_t count = 0;
  for (const auto& [name, tensor] : tensors_)
    if (!used_.contains(name) && ++count <= 3) names += (names.empty() ? "" : ", ") + name.substr(0, 200);
  if (count > 0)
    throw Error(where_ + " has " + std::to_string(count) +
                " tensors that this kind of model does not use: " + names + (count > 3 ? ", ..." : ""));
  if (!adapted_) return;
  for (const auto& [name, delta] : adapted_->deltas)
    if (!adapted_->used.contains(name))
      throw Error(adapted_->where + " changes " + name.substr(0, 200) +
                  ", which the model does not have; the adapter is of another model");
}

}  // namespace hijack
