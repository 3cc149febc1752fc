#include "models/checkpoint/mapping.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "src/base/error.h"

namespace hijack {

Mapping::Mapping(const std::filesystem::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) throw Error("cannot read " + file.string() + ": " + std::strerror(errno));
  struct stat status {};
  if (::fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    size_ = static_cast<size_t>(status.st_size);
    void* start = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, descriptor, 0);
    if (start != MAP_FAILED) start_ = static_cast<char*>(start);
  }
  ::close(descriptor);
  if (start_ == nullptr)
    throw Error("cannot read " + file.string() + ": it is empty, not a regular file, or cannot be mapped");
}

Mapping::~Mapping() {
  ::munmap(start_, size_);
}

}  // namespace hijack
