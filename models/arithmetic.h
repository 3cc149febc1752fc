#pragma once
#include <string>

#include "src/base/tensor.h"

namespace hijack {

/// Before anything is computed on a CUDA device: no TF32 in place of float32 (ten bits of mantissa move a
/// sign gradient), no choice of kernels by a race between them, and deterministic kernels wherever libtorch
/// has one; where it has none it warns and goes on. Nothing to do on other devices.
void use_exact_arithmetic(at::Device device);

/// What this process computes with there, for manifests: "float32 without TF32, deterministic where libtorch
/// can"; "as libtorch is set" where use_exact_arithmetic was not called for a CUDA device.
std::string arithmetic_in_words();

}  // namespace hijack
