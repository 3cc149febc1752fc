#pragma once
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>

namespace hijack {

/// Whole file as a string. Throws Error when it is missing, unreadable, not a regular file or longer than
/// max_bytes.
std::string read_file(const std::filesystem::path& file, int64_t max_bytes = int64_t{256} << 20);

/// Writes to a temporary name beside `file`, then renames: a reader never sees half a file. Throws Error when
/// the folder is not writable, Failure when the disk is full; the old file then stays as it was.
void write_file(const std::filesystem::path& file, std::string_view bytes);

/// SHA-256 of a file as 64 hexadecimal digits.
std::string sha256_file(const std::filesystem::path& file);

/// The same in pieces, for files too large to hold in memory. What was not committed leaves no trace.
class FileWriter {
 public:
  explicit FileWriter(std::filesystem::path file);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(std::string_view bytes);
  /// Closes and renames. Nothing may be written afterwards.
  void commit();

 private:
  std::filesystem::path file_;
  std::filesystem::path temporary_;
  std::FILE* stream_ = nullptr;
};

}  // namespace hijack
