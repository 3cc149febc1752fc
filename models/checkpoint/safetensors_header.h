#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "src/base/tensor.h"

namespace hijack {

/// One tensor of a safetensors file. begin and end are offsets into the data that follow the header.
struct StoredTensor {
  std::string name;
  at::ScalarType dtype;
  std::vector<int64_t> shape;
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// Parses and checks the JSON header of a safetensors file with data_size bytes of data. The result covers
/// the data exactly: sorted by offset, without gap or overlap. Throws Error, naming `where`, for anything
/// else.
std::vector<StoredTensor> parse_safetensors_header(std::string_view json, uint64_t data_size,
                                                   const std::string& where);

/// The format's name of a dtype, or nullptr where it has none here.
const char* safetensors_dtype(at::ScalarType dtype);

}  // namespace hijack
