#pragma once
#include "src/base/tensor.h"

namespace hijack {

/// Bytes that tensors can still be given on a device: for the CPU available_memory(); for a GPU what its
/// driver has left and libtorch's pool holds unused. 0 where nobody says: other devices, a libtorch
/// before 2.13.
int64_t available_memory_of(at::Device device);

}  // namespace hijack
