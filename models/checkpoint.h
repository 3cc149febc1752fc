#pragma once
#include "models/layers.h"
#include "models/safetensors.h"

namespace hijack {

/// Parameters out of a checkpoint: moved to device and dtype, frozen.
ParameterSource frozen_source(Weights& weights, at::Device device, at::ScalarType dtype);

}  // namespace hijack
