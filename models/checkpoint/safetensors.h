#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "src/base/tensor.h"

namespace hijack {

using TensorMap = std::map<std::string, Tensor>;

/// Reads one safetensors file by mapping it (copy-on-write, no copies except of misaligned tensors). The file
/// is taken as hostile: header size, offsets, shapes, overflow, overlap, gaps, duplicates, dtypes are
/// checked.
TensorMap load_safetensors(const std::filesystem::path& file);

/// Writes through a temporary name. Tensors are made contiguous; the order is by element size (largest first,
/// so that all are aligned), then by name: the same tensors give the same bytes.
void save_safetensors(const TensorMap& tensors, const std::filesystem::path& file,
                      const std::map<std::string, std::string>& metadata = {});

}  // namespace hijack
