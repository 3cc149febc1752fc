#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "src/base/tensor.h"

namespace hijack {

/// The input of tests/golden/preprocess: uint8 [1,3,height,width] by the formula of its make.py.
Tensor golden_picture(int64_t height, int64_t width);

/// SHA-256 of the bytes of a uint8 tensor in row-major order.
std::string sha256_of_bytes(const Tensor& bytes);

/// tests/golden/preprocess/golden.json.
const nlohmann::json& preprocess_golden();

}  // namespace hijack
