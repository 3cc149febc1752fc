#pragma once
#include <string>
#include <vector>

#include "src/base/tensor.h"

// How a model's numbers are kept and computed, by the names of --dtype.

namespace hijack {

inline constexpr const char* kDtypeHelp =
    "auto, float32, autocast (matrix products in bfloat16, the rest in float32), bfloat16 or float16";

/// "auto", "float32", "autocast", "bfloat16", "float16".
std::vector<std::string> dtype_names();

/// What a name of --dtype stands for: auto is float32 on a CPU; elsewhere autocast for weights that are
/// stored in float32, bfloat16 for others. Throws Error, which lists the names, for others.
std::string chosen_dtype(const std::string& name, at::Device device, bool stored_in_float32);

/// The type that weights are read as, of a name that is not auto; float32 for autocast, whose matrices are
/// rounded afterwards (network/layers.h).
at::ScalarType weight_dtype(const std::string& chosen);

}  // namespace hijack
