#pragma once
#include "src/base/tensor.h"

namespace hijack {

/// libtorch's own autocast to bfloat16 for what this thread computes on a device while the guard lives, and
/// then again what was before: for weights that are trained, and for code that is not ours (TorchScript). The
/// networks of models/network follow the same rules without it (network/layers.h). Backward passes belong
/// outside.
class Autocast {
 public:
  /// on: false leaves everything as it is.
  explicit Autocast(at::Device device, bool on = true);
  ~Autocast();
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  at::DeviceType type_;
  bool on_;
  bool outer_on_ = false;
  at::ScalarType outer_dtype_ = at::kFloat;
};

}  // namespace hijack
