#include "models/endpoint/answer_cache.h"

#include <sys/stat.h>
#include <unistd.h>

#include "src/base/environment.h"
#include "src/base/error.h"
#include "src/base/file.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

/// A folder of this user alone below the temporary folder, which all users share: anybody could have made one
/// of that name, to read the prompts or to plant answers. Throws Error.
fs::path private_folder() {
  const fs::path folder = fs::temp_directory_path() / ("hijack-" + std::to_string(geteuid()));
  struct stat found {};
  const bool made = ::mkdir(folder.c_str(), 0700) == 0 || errno == EEXIST;
  const bool ours = made && ::lstat(folder.c_str(), &found) == 0 && S_ISDIR(found.st_mode) &&
                    found.st_uid == geteuid() && (found.st_mode & 077) == 0;
  if (!ours)
    throw Error(
        "The folder '" + folder.string() +
        "' for the answers of the endpoint is not this user's alone; set HOME, or name another folder "
        "by cache=DIR.");
  return folder;
}

fs::path cache_folder(const std::string& given) {
  if (!given.empty()) return given;
  if (!environment("HIJACK_CACHE").empty()) return environment("HIJACK_CACHE");
  const std::string home = environment("HOME");
  return home.empty() ? private_folder() : fs::path(home) / ".cache" / "hijack";
}

}  // namespace

AnswerCache::AnswerCache(const std::string& folder) : folder_(cache_folder(folder)) {}

fs::path AnswerCache::file_of(const std::string& key) const {
  return folder_ / (key + ".json");
}

std::optional<std::string> AnswerCache::find_or_begin(const std::string& key) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !begun_.contains(key); });
  if (fs::exists(file_of(key))) return read_file(file_of(key));
  begun_.insert(key);
  return {};
}

void AnswerCache::keep(const std::string& key, const std::string& answer) {
  std::error_code failed;
  fs::create_directories(folder_, failed);
  if (failed)
    throw Error("The folder '" + folder_.string() +
                "' for the answers of the endpoint cannot be written; name another "
                "by cache=DIR.");
  write_file(file_of(key), answer);
}

void AnswerCache::done(const std::string& key) {
  const std::scoped_lock lock(mutex_);
  begun_.erase(key);
  changed_.notify_all();
}

}  // namespace hijack
