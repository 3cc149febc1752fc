#include "src/experiment/plan/hash_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>

#include "src/base/environment.h"
#include "src/base/file.h"
#include "src/base/sha256.h"

namespace hijack {
namespace {

namespace paths = std::filesystem;

constexpr int64_t kWorthKeeping = 16 << 20;               // bytes; smaller files are hashed at once
constexpr int64_t kSettled = int64_t{5} * 1'000'000'000;  // nanoseconds

int64_t nanoseconds(const timespec& time) {
  return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

/// Of this user, and nobody else may write there.
bool is_ours(const paths::path& path, mode_t kind) {
  struct stat found {};
  return ::lstat(path.c_str(), &found) == 0 && (found.st_mode & S_IFMT) == kind &&
         found.st_uid == ::geteuid() && (found.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool is_hash(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

FileStamp stamp_of(const paths::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return {};
  return {found.st_dev, found.st_ino, found.st_size, nanoseconds(found.st_mtim), nanoseconds(found.st_ctim)};
}

HashCache HashCache::of_user() {
  if (const std::string given = environment("HIJACK_CACHE"); !given.empty())
    return HashCache(paths::path(given) / "hashes");
  const std::string home = environment("HOME");
  return HashCache(home.empty() ? paths::path() : paths::path(home) / ".cache" / "hijack" / "hashes");
}

paths::path HashCache::file_for(const FileStamp& stamp) const {
  std::string text;
  for (const int64_t part : {static_cast<int64_t>(stamp.device), static_cast<int64_t>(stamp.inode),
                             stamp.size, stamp.modified, stamp.changed})
    text += std::to_string(part) + "\n";
  return folder_ / sha256(text);
}

std::optional<std::string> HashCache::find(const FileStamp& stamp) const {
  if (folder_.empty() || stamp.size < kWorthKeeping || !is_ours(folder_, S_IFDIR)) return {};
  const paths::path kept = file_for(stamp);
  std::error_code failed;
  if (!is_ours(kept, S_IFREG) || paths::file_size(kept, failed) != 64 || failed) return {};
  try {
    const std::string hash = read_file(kept);
    if (is_hash(hash)) return hash;
  } catch (const std::exception&) {
  }
  return {};
}

void HashCache::keep(const FileStamp& stamp, const std::string& hash) const {
  const int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  const bool settled = std::max(stamp.modified, stamp.changed) < now - kSettled;
  if (folder_.empty() || stamp.size < kWorthKeeping || !settled) return;
  std::error_code failed;
  paths::create_directories(folder_, failed);
  if (failed || !is_ours(folder_, S_IFDIR)) return;
  try {
    write_file(file_for(stamp), hash);
  } catch (const std::exception&) {  // a full disk is no reason to fail
  }
}

}  // namespace hijack
