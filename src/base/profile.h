#pragma once
#include <filesystem>
#include <string>

namespace hijack {

/// Records what libtorch does between start() and stop(), on this thread, as a trace that
/// chrome://tracing and ui.perfetto.dev open.
class Profile {
 public:
  /// An empty file name: nothing is recorded.
  explicit Profile(std::filesystem::path file) : file_(std::move(file)) {}
  ~Profile();
  Profile(const Profile&) = delete;
  Profile& operator=(const Profile&) = delete;

  void start();
  /// Writes the file. Further calls do nothing. Throws Failure when it cannot be written.
  void stop();
  /// The operators that took most time by themselves, as a table; empty when nothing was recorded.
  const std::string& summary() const { return summary_; }

 private:
  std::filesystem::path file_;
  std::string summary_;
  bool running_ = false;
};

}  // namespace hijack
