#pragma once
#include <filesystem>
#include <map>
#include <string>

#include "models/checkpoint/safetensors.h"

namespace hijack::support {

/// A zip archive of PyTorch with these records.
void write_archive(const std::map<std::string, std::string>& records, const std::filesystem::path& file,
                   bool compressed = false);

/// Instructions of pickle, protocol 2.
namespace pickle {
std::string text(const std::string& text);
std::string number(int64_t number);
std::string global(const std::string& module, const std::string& name);
std::string tuple(const std::string& items);  ///< of what the instructions leave
/// A view of a storage of floats, as torch.save calls for it; sizes and strides are tuples.
std::string view(const std::string& storage, int64_t elements, int64_t offset, const std::string& sizes,
                 const std::string& strides, const std::string& type = "FloatStorage");
/// The program that leaves a dict of these: names and the instructions of their values.
std::string dict(const std::map<std::string, std::string>& entries);
}  // namespace pickle

/// What torch.save of a state dict writes; `wrapped`: as the entry state_dict beside an epoch.
void save_torch(const TensorMap& tensors, const std::filesystem::path& file, bool wrapped = false);

}  // namespace hijack::support
