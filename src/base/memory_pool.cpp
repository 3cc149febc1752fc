#include "src/base/memory_pool.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <sys/mman.h>

#include <cstring>

namespace hijack {
namespace {

/// 16 sizes for each doubling: sizes that differ a little (replies that grow) share blocks, and at most a
/// sixteenth of a block is unused, whose pages the system never provides.
int64_t rounded(int64_t bytes) {
  int64_t step = int64_t{1} << 12;
  while (step * 16 < bytes) step *= 2;
  return (bytes + step - 1) / step * step;
}

void* map_pages(int64_t bytes) {
  void* block =
      ::mmap(nullptr, static_cast<size_t>(bytes), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return block == MAP_FAILED ? nullptr : block;
}

void unmap_pages(void* block, int64_t bytes) {
  ::munmap(block, static_cast<size_t>(bytes));
}

}  // namespace

MemoryPool::~MemoryPool() {
  forget();
}

void MemoryPool::forget() {
  const std::scoped_lock lock(mutex_);
  for (const auto& [size, blocks] : waiting_)
    for (void* block : blocks) unmap_pages(block, size);
  waiting_.clear();
  use_ = {.in_use = use_.in_use, .waiting = 0, .most_in_use = use_.in_use};
}

void* MemoryPool::take(int64_t bytes) {
  const int64_t size = rounded(bytes);
  const std::scoped_lock lock(mutex_);
  void* block = nullptr;
  if (const auto same = waiting_.find(size); same != waiting_.end()) {
    block = same->second.back();
    same->second.pop_back();
    if (same->second.empty()) waiting_.erase(same);
    use_.waiting -= size;
  } else {
    release_waiting(size);
    block = map_pages(size);
    if (block == nullptr) return nullptr;
  }
  sizes_[block] = size;
  use_.in_use += size;
  use_.most_in_use = std::max(use_.most_in_use, use_.in_use);
  return block;
}

bool MemoryPool::give_back(void* block) {
  const std::scoped_lock lock(mutex_);
  const auto found = sizes_.find(block);
  if (found == sizes_.end()) return false;
  const int64_t size = found->second;
  sizes_.erase(found);
  waiting_[size].push_back(block);
  use_.in_use -= size;
  use_.waiting += size;
  return true;
}

/// The largest first: the fewest calls, and small ones are asked for most often.
void MemoryPool::release_waiting(int64_t bytes_to_come) {
  while (!waiting_.empty() && use_.in_use + use_.waiting + bytes_to_come > use_.most_in_use + slack_) {
    const auto largest = std::prev(waiting_.end());
    unmap_pages(largest->second.back(), largest->first);
    use_.waiting -= largest->first;
    largest->second.pop_back();
    if (largest->second.empty()) waiting_.erase(largest);
  }
}

MemoryPool::Use MemoryPool::use() const {
  const std::scoped_lock lock(mutex_);
  return use_;
}

namespace {

constexpr size_t kPooledBytes = 64 << 10;
constexpr uintptr_t kPageBytes = 4096;

/// Never destroyed: tensors of static objects come back last.
MemoryPool& tensor_pool() {
  static auto* const pool = new MemoryPool;
  return *pool;
}

class PooledAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void* block =
        bytes < kPooledBytes ? c10::alloc_cpu(bytes) : tensor_pool().take(static_cast<int64_t>(bytes));
    TORCH_CHECK(block != nullptr || bytes == 0, "out of memory: a tensor of ", bytes, " bytes does not fit.");
    return {block, block, &give_back, c10::DeviceType::CPU};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &give_back; }
  void copy_data(void* to, const void* from, size_t bytes) const override { std::memcpy(to, from, bytes); }

 private:
  static void give_back(void* block) {
    const bool page = reinterpret_cast<uintptr_t>(block) % kPageBytes == 0;  // the pool's all begin one
    if (!page || !tensor_pool().give_back(block)) c10::free_cpu(block);
  }
};

}  // namespace

void pool_tensor_memory() {
#if !defined(__SANITIZE_ADDRESS__)
  static PooledAllocator allocator;
  c10::SetCPUAllocator(&allocator);
#endif
}

int64_t waiting_tensor_memory() {
  return tensor_pool().use().waiting;
}

void forget_tensor_memory() {
  tensor_pool().forget();
}

}  // namespace hijack
