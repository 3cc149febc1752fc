#pragma once
#include <functional>
#include <string>

#include "models/checkpoint/weights.h"
#include "src/base/tensor.h"

namespace hijack {

/// Where parameters come from: a checkpoint (frozen) or an initializer (training). Called once per parameter
/// with its canonical name and shape.
struct ParameterSource : std::function<Tensor(const std::string& name, at::IntArrayRef shape)> {
  using function::function;
  /// Whether the network is to multiply matrices in bfloat16 and do the rest in float32, as torch.autocast
  /// does (network/layers.h).
  bool autocast = false;
};

/// bfloat16 or float16.
bool is_narrow(at::ScalarType type);

/// What a model computes in whose weights are stored as `stored`: float32 where a CPU has no instructions for
/// the 16-bit type, whose kernels would be a hundred times slower than float32's; `stored` elsewhere.
at::ScalarType compute_dtype(at::ScalarType stored, at::Device device);

/// Whether the device computes in `type` itself (see compute_dtype).
inline bool computes_in(at::ScalarType type, at::Device device) {
  return compute_dtype(type, device) == type;
}

/// Parameters out of a checkpoint: moved to device and dtype, frozen. Where the device computes in a wider
/// type than `dtype` (see compute_dtype), only matrices are stored as `dtype`.
ParameterSource frozen_source(Weights& weights, at::Device device, at::ScalarType dtype);

/// While it lives, what `frozen_source` gives on this thread is for autocast, if `on`: families know nothing
/// of it.
class AutocastScope {
 public:
  explicit AutocastScope(bool on);
  ~AutocastScope();
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;
  static bool is_on();

 private:
  bool outer_;
};

}  // namespace hijack
