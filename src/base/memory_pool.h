#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

namespace hijack {

/// Large blocks that are taken and given back again and again in the same sizes, as the tensors of a step
/// are. A heap leaves holes between the blocks that a step keeps; here each block is the system's own, and
/// one that is given back waits for the next request of its size. What waits and what is in use together
/// never exceed the most that was ever in use (and `slack`): where a request would, waiting blocks go back to
/// the system first. For several threads.
class MemoryPool {
 public:
  explicit MemoryPool(int64_t slack = 16 << 20) : slack_(slack) {}
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;
  ~MemoryPool();  ///< only what waits; blocks in use stay valid

  /// At least `bytes` > 0, at the start of a page, not cleared. nullptr when the system has no more.
  void* take(int64_t bytes);
  /// False, and nothing done, when the block is none of take()'s.
  bool give_back(void* block);

  /// Gives everything that waits to the system, and lets `most_in_use` start again from what is in use.
  void forget();

  struct Use {
    int64_t in_use = 0, waiting = 0, most_in_use = 0;  ///< bytes
  };
  Use use() const;

 private:
  void release_waiting(int64_t bytes_to_come);

  const int64_t slack_;
  mutable std::mutex mutex_;
  std::map<int64_t, std::vector<void*>> waiting_;  // by size; no empty lists
  std::unordered_map<void*, int64_t> sizes_;       // of blocks in use
  Use use_;
};

/// From now on the tensors of this process on the CPU take blocks of 64 KB and more from a pool. Call it
/// once, before any tensor exists. No effect in builds with AddressSanitizer, which watches the ends of
/// blocks itself.
void pool_tensor_memory();

/// Bytes that wait in that pool; 0 where there is none.
int64_t waiting_tensor_memory();

/// MemoryPool::forget() of that pool: for a program that goes on to something smaller.
void forget_tensor_memory();

}  // namespace hijack
