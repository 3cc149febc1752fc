#pragma once
#include <compare>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace hijack {

/// What the system says of a file: another content has another stamp, since nobody but the system sets the
/// time of the last change. All zero where there is no file.
struct FileStamp {
  uint64_t device = 0, inode = 0;
  int64_t size = 0;
  int64_t modified = 0, changed = 0;  ///< nanoseconds since 1970
  auto operator<=>(const FileStamp&) const = default;
};
FileStamp stamp_of(const std::filesystem::path& file);

/// SHA-256 of large files (weights), kept from run to run by their stamps: one small file each, `hashes` in
/// $HIJACK_CACHE, else ~/.cache/hijack. Nothing is trusted that another user could have written, nor kept of
/// a file that changed within the last seconds, whose next change might have the same stamp. What cannot be
/// read or written counts as not kept.
class HashCache {
 public:
  /// folder: empty: nothing is kept.
  explicit HashCache(std::filesystem::path folder) : folder_(std::move(folder)) {}
  static HashCache of_user();

  /// 64 hexadecimal digits.
  std::optional<std::string> find(const FileStamp& stamp) const;
  void keep(const FileStamp& stamp, const std::string& hash) const;

 private:
  std::filesystem::path file_for(const FileStamp& stamp) const;

  std::filesystem::path folder_;
};

}  // namespace hijack
