#include "src/experiment/record/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <mutex>

#include "src/base/error.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

/// One locked file.
class FileLock {
 public:
  FileLock(const fs::path& file, bool shared)
      : descriptor_(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0)
      throw Error("'" + file.string() + "' cannot be written; check the permissions of the folder.");
    if (flock(descriptor_, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) return;
    const bool taken = errno == EWOULDBLOCK;
    close(descriptor_);
    if (taken)
      throw Error("Another process is writing into the run '" + file.parent_path().string() +
                  "'; wait for it, or choose another --out.");
    descriptor_ = -1;  // a file system without locks: go on as if alone
  }
  ~FileLock() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int descriptor_;
};

struct Locks {
  std::optional<FileLock> folder, worker;
};

}  // namespace

FolderLock lock_folder(const fs::path& folder, const std::string& worker) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<Locks>> held;
  const std::lock_guard guard(mutex);
  const std::string key = fs::weakly_canonical(folder).string() + "\n" + worker;
  if (auto locks = held[key].lock()) return locks;
  auto locks = std::make_shared<Locks>();
  locks->folder.emplace(folder / ".lock", !worker.empty());
  if (!worker.empty()) locks->worker.emplace(folder / (".lock." + worker), false);
  held[key] = locks;
  return locks;
}

}  // namespace hijack
