#pragma once
#include "models/checkpoint/safetensors.h"
#include "models/network/layers.h"

namespace hijack {

/// Parameters out of a checkpoint: moved to device and dtype, frozen. Where the device computes in a wider
/// type than `dtype` (see compute_dtype), only matrices are stored as `dtype`.
ParameterSource frozen_source(Weights& weights, at::Device device, at::ScalarType dtype);

}  // namespace hijack
