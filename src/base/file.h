#pragma once
#include <filesystem>
#include <string>
#include <string_view>

namespace hijack {

/// Whole file as a string. Throws Error when it is missing, unreadable or longer than max_bytes.
std::string read_file(const std::filesystem::path& file, int64_t max_bytes = int64_t{256} << 20);

/// Writes to a temporary name beside `file`, then renames: a reader never sees half a file. Throws Error when
/// the folder is not writable.
void write_file(const std::filesystem::path& file, std::string_view bytes);

/// SHA-256 of a file as 64 hexadecimal digits.
std::string sha256_file(const std::filesystem::path& file);

}  // namespace hijack
