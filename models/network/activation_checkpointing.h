#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "src/base/tensor.h"

// Activation recomputation (Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost"): a block keeps
// its inputs only and runs a second time in the backward pass. Costs about a third of a step's time; results
// keep their bytes.

namespace hijack {

enum class ActivationCheckpointing { kAuto, kOn, kOff };

/// "auto", "on" or "off". Throws Error otherwise.
ActivationCheckpointing checkpointing_from_name(const std::string& name);

/// For the whole process, like the number of threads; kAuto at the start.
void set_activation_checkpointing(ActivationCheckpointing mode);

/// What made kAuto recompute.
struct CheckpointingReason {
  int64_t needed = 0;     ///< bytes that a pass would have kept, estimated
  int64_t available = 0;  ///< bytes that were free
};
/// Of the last pass that kAuto recomputed; nullopt when there was none.
std::optional<CheckpointingReason> checkpointing_reason();

/// A block as a function of every tensor it reads that may take a gradient. It may be called after the pass
/// is over: it captures by value.
using BlockFunction = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

/// Runs the blocks of one pass through a tower or decoder, and decides for the pass whether they are
/// recomputed: with kAuto, when what they would keep exceeds half of the free memory of their device. Never
/// without gradients, nor where weights take gradients (training), since only gradients of the inputs are
/// passed on.
class BlockRunner {
 public:
  /// bytes_per_block: kept for the backward pass by a block of its `blocks`.
  BlockRunner(const Tensor& x, bool frozen, int64_t blocks, int64_t bytes_per_block);
  std::vector<Tensor> operator()(const BlockFunction& block, const std::vector<Tensor>& inputs) const;

 private:
  bool checkpoints_ = false;
};

}  // namespace hijack
