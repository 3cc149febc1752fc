#pragma once
#include <cstdint>
#include <filesystem>
#include <string>

namespace hijack {

/// The content of a .gz file. Throws Error when it cannot be read, is damaged, or unpacks to more than
/// max_bytes.
std::string read_gzip(const std::filesystem::path& file, int64_t max_bytes);

}  // namespace hijack
