#pragma once
#include <map>
#include <string>
#include <vector>

#include "models/checkpoint/safetensors.h"
#include "models/network/layers.h"
#include "src/base/random.h"

namespace hijack {

/// Trainable parameters under the names of the checkpoint, with optimizer state. float32 leaves.
class Parameters {
 public:
  Parameters(uint64_t seed, at::Device device);

  /// Makes each parameter on first request: norm weights 1, biases 0, embeddings N(0, .02), matrices
  /// N(0, 1/in), those that write into the residual stream smaller by sqrt(2 * depth).
  ParameterSource source(int64_t depth);
  Tensor& at(const std::string& name) { return values_.at(name); }
  const TensorMap& values() const { return values_; }
  /// Those of the model: without what only training needs ("training.").
  TensorMap model_values() const;
  int64_t count() const;

  void zero_gradients();
  /// In the order of values(); undefined ones leave their parameter alone.
  void set_gradients(const std::vector<Tensor>& gradients);
  /// Scales all gradients to a global l2 norm of at most `limit`; returns the norm before.
  double clip_gradients(double limit);
  /// AdamW (Loshchilov & Hutter 2019), betas (.9, .98). rate(name) = learning rate of a parameter; 0 leaves
  /// it. Weight decay acts on matrices only.
  void step(const std::function<double(const std::string&)>& rate, double weight_decay);

  /// Values and optimizer state, for resuming.
  TensorMap state() const;
  /// Throws Error when a tensor is missing or of another shape.
  void restore(const TensorMap& state, const std::string& where);
  /// Forgets the moments (a new stage starts).
  void reset_moments();

 private:
  Random random_;
  at::Device device_;
  TensorMap values_, first_, second_, steps_;
};

}  // namespace hijack
