#include "src/base/process_memory.h"

#include "src/base/memory_pool.h"

namespace hijack {
namespace {

/// Value of "Name:   123 kB" in a file of such lines, in bytes; 0 where there is none.
int64_t kilobyte_field(const char* file, const std::string& name) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(name + ":")) return std::atoll(line.c_str() + name.size() + 1) * 1024;
  return 0;
}

/// The number a file holds; -1 where there is no such file, or no number in it ("max").
int64_t number_in(const std::string& file) {
  std::ifstream in(file);
  int64_t number = -1;
  return in >> number ? number : -1;
}

}  // namespace

ProcessMemory process_memory() {
  const char* status = "/proc/self/status";
  return {kilobyte_field(status, "VmRSS"), kilobyte_field(status, "VmHWM"),
          kilobyte_field(status, "RssFile")};
}

void reset_peak_memory() {
  std::ofstream("/proc/self/clear_refs") << "5";
}

int64_t available_memory() {
  int64_t available = kilobyte_field("/proc/meminfo", "MemAvailable");
  const int64_t limit = number_in("/sys/fs/cgroup/memory.max");
  const int64_t used = number_in("/sys/fs/cgroup/memory.current");
  if (limit >= 0 && used >= 0) available = std::min(available, std::max<int64_t>(limit - used, 0));
  return available > 0 ? available + waiting_tensor_memory() : available;
}

int64_t total_memory() {
  const int64_t total = kilobyte_field("/proc/meminfo", "MemTotal");
  const int64_t limit = number_in("/sys/fs/cgroup/memory.max");
  return limit >= 0 ? std::min(total, limit) : total;
}

}  // namespace hijack
