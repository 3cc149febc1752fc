#include "src/base/device_memory.h"

#include <torch/version.h>

#include "src/base/process_memory.h"
#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 13
#include <ATen/DeviceAccelerator.h>
#define HIJACK_GPU_MEMORY
#endif

namespace hijack {

int64_t available_memory_of(at::Device device) {
  if (device.is_cpu()) return available_memory();
#ifdef HIJACK_GPU_MEMORY
  if (device.is_cuda() && device.has_index()) {
    constexpr auto kAll = static_cast<size_t>(c10::CachingAllocator::StatType::AGGREGATE);
    const auto stats = at::accelerator::getDeviceStats(device.index());
    const int64_t unused = stats.reserved_bytes[kAll].current - stats.allocated_bytes[kAll].current;
    return static_cast<int64_t>(at::accelerator::getMemoryInfo(device.index()).first) + unused;
  }
#endif
  return 0;
}

}  // namespace hijack
