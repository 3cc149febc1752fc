#pragma once
// The tensor type of the whole project, by its lightest include.
#include <ATen/core/Tensor.h>

namespace hijack {
using at::Tensor;
}  // namespace hijack
