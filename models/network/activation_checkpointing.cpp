#include "models/network/activation_checkpointing.h"

#include <mutex>

#include "src/base/device_memory.h"
#include "src/base/error.h"

namespace hijack {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Settings {
  std::mutex mutex;
  ActivationCheckpointing mode = ActivationCheckpointing::kAuto;
  std::optional<CheckpointingReason> reason;
};
Settings& settings() {
  static Settings all;
  return all;
}

struct HeldBlock : torch::CustomClassHolder {
  explicit HeldBlock(BlockFunction function) : block(std::move(function)) {}
  BlockFunction block;
};

struct CheckpointedBlock : torch::autograd::Function<CheckpointedBlock> {
  static variable_list forward(AutogradContext* context, const BlockFunction& block, at::TensorList given) {
    context->saved_data["block"] = c10::IValue::make_capsule(c10::make_intrusive<HeldBlock>(block));
    context->set_materialize_grads(false);
    variable_list inputs = given.vec();
    variable_list outputs = block(inputs);
    context->save_for_backward(std::move(inputs));
    return outputs;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto held = c10::static_intrusive_pointer_cast<HeldBlock>(context->saved_data["block"].toCapsule());
    variable_list inputs, wanted, outputs, output_gradients;
    for (const Tensor& saved : context->get_saved_variables()) {
      inputs.push_back(saved.detach().set_requires_grad(saved.requires_grad()));
      if (saved.requires_grad()) wanted.push_back(inputs.back());
    }
    const at::AutoGradMode with_gradients(true);
    const variable_list all = held->block(inputs);
    for (size_t i = 0; i < all.size(); ++i) {
      if (!gradients[i].defined() || !all[i].requires_grad()) continue;
      outputs.push_back(all[i]);
      output_gradients.push_back(gradients[i]);
    }
    auto found = outputs.empty() ? variable_list(wanted.size())
                                 : torch::autograd::grad(outputs, wanted, output_gradients, std::nullopt,
                                                         /*create_graph=*/false, /*allow_unused=*/true);
    variable_list result = {Tensor()};  // of the block itself
    size_t next = 0;
    for (const Tensor& input : inputs)
      result.push_back(input.requires_grad() ? std::move(found[next++]) : Tensor());
    return result;
  }
};

bool exceeds_memory(int64_t needed, at::Device device) {
  const int64_t available = available_memory_of(device);
  if (available <= 0 || needed <= available / 2) return false;
  const std::scoped_lock lock(settings().mutex);
  settings().reason = CheckpointingReason{needed, available};
  return true;
}

}  // namespace

ActivationCheckpointing checkpointing_from_name(const std::string& name) {
  if (name == "auto") return ActivationCheckpointing::kAuto;
  if (name == "on") return ActivationCheckpointing::kOn;
  if (name == "off") return ActivationCheckpointing::kOff;
  throw Error("activation checkpointing \"" + name + "\" is not known; write auto, on or off");
}

void set_activation_checkpointing(ActivationCheckpointing mode) {
  const std::scoped_lock lock(settings().mutex);
  settings().mode = mode;
  settings().reason.reset();
}

std::optional<CheckpointingReason> checkpointing_reason() {
  const std::scoped_lock lock(settings().mutex);
  return settings().reason;
}

BlockRunner::BlockRunner(const Tensor& x, bool frozen, int64_t blocks, int64_t bytes_per_block) {
  if (!frozen || !at::GradMode::is_enabled() || !x.requires_grad()) return;
  ActivationCheckpointing mode;
  {
    const std::scoped_lock lock(settings().mutex);
    mode = settings().mode;
  }
  checkpoints_ =
      mode == ActivationCheckpointing::kOn ||
      (mode == ActivationCheckpointing::kAuto && exceeds_memory(blocks * bytes_per_block, x.device()));
}

std::vector<Tensor> BlockRunner::operator()(const BlockFunction& block,
                                            const std::vector<Tensor>& inputs) const {
  // a vector would be taken for something without gradients
  return checkpoints_ ? CheckpointedBlock::apply(block, at::TensorList(inputs)) : block(inputs);
}

}  // namespace hijack
