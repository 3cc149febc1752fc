#pragma once
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace hijack {

/// Answers of endpoints on disk, by what was asked. Threads may share one.
class AnswerCache {
 public:
  /// folder: "" = $HIJACK_CACHE, else ~/.cache/hijack. Throws Error where neither is there and the folder in
  /// the temporary one is not this user's own.
  explicit AnswerCache(const std::string& folder);

  /// The answer that is kept under a key; nullopt where there is none, and then this thread has to bring it
  /// (or give up with `done`): others that want the same wait for it.
  std::optional<std::string> find_or_begin(const std::string& key);
  /// Throws Error where the folder cannot be written.
  void keep(const std::string& key, const std::string& answer);
  void done(const std::string& key);

 private:
  std::filesystem::path file_of(const std::string& key) const;

  std::filesystem::path folder_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::string> begun_;
};

}  // namespace hijack
