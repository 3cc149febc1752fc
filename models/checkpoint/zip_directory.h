#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hijack {

/// A file in a zip archive whose bytes lie in the archive as they are.
struct ZipEntry {
  std::string name;
  uint64_t header = 0;  ///< where its local header begins
  uint64_t begin = 0;   ///< where its bytes begin
  uint64_t size = 0;
};

/// The directory at the end of a zip archive. PyTorch never compresses; a compressed entry is refused, so
/// that no archive unpacks to more than it is long. Throws Error naming `where` for what is no such archive,
/// entries outside of it, over each other or under one name, encrypted ones, and archives in several parts.
std::vector<ZipEntry> zip_directory(std::string_view bytes, const std::string& where);

}  // namespace hijack
