#pragma once
#include <filesystem>
#include <map>
#include <string>

namespace hijack {

/// `__metadata__` of a safetensors file; empty where it has none. Throws Error for what is no such file, and
/// for metadata that are not texts by name, as the format wants them.
std::map<std::string, std::string> load_safetensors_metadata(const std::filesystem::path& file);

}  // namespace hijack
