#pragma once
#include <filesystem>
#include <vector>

#include "models/checkpoint/safetensors.h"

namespace hijack {

/// The files that hold the weights of a checkpoint folder: model.safetensors or pytorch_model.bin, or the
/// shards of one of them, as the index beside them says; safetensors before PyTorch's format. Throws Error
/// for a wrong index, and for folders with neither, naming what is there instead (GGUF, TensorFlow, other
/// names).
std::vector<std::filesystem::path> weight_files(const std::filesystem::path& folder);

/// Whether a folder has a file that looks like weights of any kind; true for what is no folder.
bool has_weights(const std::filesystem::path& folder);

/// The tensors of one file: safetensors, or a state dict of PyTorch by its ending (.bin, .pt, .pth).
TensorMap load_tensors(const std::filesystem::path& file);

/// All tensors of the folder. Throws Error for shards that lack what the index places in them, too.
TensorMap load_weights(const std::filesystem::path& folder);

}  // namespace hijack
