#pragma once
#include <filesystem>

#include "models/checkpoint/safetensors.h"

namespace hijack {

/// Reads a state dict that `torch.save` wrote (pytorch_model.bin, .pt, .pth; PyTorch 1.6 or later) by mapping
/// it, without executing anything (torch_pickle.h). The file is taken as hostile: the archive is checked by
/// zip_directory.h before PyTorch's own reader opens it, and each tensor against its storage. Throws Error
/// for anything else, naming older formats, TorchScript archives and numbers of the other byte order.
TensorMap load_torch_archive(const std::filesystem::path& file);

/// Whether a file begins as an archive, or as a pickle of an older PyTorch.
bool looks_like_torch(const std::filesystem::path& file);

}  // namespace hijack
