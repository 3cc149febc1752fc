#pragma once
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace hijack::cli {

/// Lines about work that begins: printed when its first part is done or after two seconds, whichever comes
/// first, and not at all when it ends before; so a refusal stays the one line that is printed.
class Announcement {
 public:
  explicit Announcement(std::vector<std::string> lines);
  ~Announcement();
  Announcement(const Announcement&) = delete;
  Announcement& operator=(const Announcement&) = delete;

  /// The first part is done.
  void begun();

 private:
  void print();

  std::vector<std::string> lines_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::jthread waiting_;
};

}  // namespace hijack::cli
