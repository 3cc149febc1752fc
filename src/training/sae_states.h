#pragma once
#include <memory>
#include <string>
#include <vector>

#include "models/activations/activations.h"

namespace hijack {

/// Where the states that an autoencoder learns from come from.
class SaeStates {
 public:
  virtual ~SaeStates() = default;
  virtual const ActivationSource& source() const = 0;
  /// [n,D] to learn from, of which their mean and size are taken; as many as are in memory at the start.
  virtual Tensor first() const = 0;
  /// [n,D] that are not learned from.
  virtual Tensor held_out() const = 0;
  /// `size` states [size,D] of a step: the same whenever the same step is asked for.
  virtual Tensor batch(int64_t step, int64_t size) = 0;
  /// What else than settings and model decides the batches, for a training that is resumed.
  virtual std::string identity() const = 0;
};

/// Files of `hijack activations`, read into memory. A tenth of the prompts (of the tokens, where there are
/// fewer than ten prompts) is held out. Throws Error for fewer tokens than 64, for more than 4 GiB, and as
/// ActivationSet.
std::unique_ptr<SaeStates> stored_states(const std::vector<std::string>& files, uint64_t seed);

/// Rows `size` of `states` [n,D], drawn with replacement for a step.
Tensor drawn_states(const Tensor& states, uint64_t seed, int64_t step, int64_t size);

/// Throws Error for fewer tokens than an autoencoder is trained on.
void check_enough_tokens(int64_t tokens);

}  // namespace hijack
