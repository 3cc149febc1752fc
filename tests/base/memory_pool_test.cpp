// Blocks of tensors: kept for the next step, never more than the most that was in use.
#include "src/base/memory_pool.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

namespace hijack::memory_pool_test {
namespace {

constexpr int64_t kMegabyte = 1 << 20;

TEST(MemoryPool, GivesABlockOfTheSizeAgain) {
  MemoryPool pool;
  void* const first = pool.take(3 * kMegabyte);
  std::memset(first, 7, 3 * kMegabyte);
  void* const other = pool.take(3 * kMegabyte);
  EXPECT_NE(first, other);
  EXPECT_EQ(pool.use().in_use, 6 * kMegabyte);
  pool.give_back(first);
  EXPECT_EQ(pool.use().waiting, 3 * kMegabyte);
  EXPECT_EQ(pool.take(3 * kMegabyte - 5), first);
  EXPECT_EQ(pool.use().waiting, 0);
  pool.give_back(first);
  pool.give_back(other);
  EXPECT_EQ(pool.use().in_use, 0);
  EXPECT_EQ(pool.use().most_in_use, 6 * kMegabyte);
  EXPECT_FALSE(pool.give_back(first)) << "given back twice";
  EXPECT_EQ(pool.use().waiting, 6 * kMegabyte);
}

TEST(MemoryPool, HoldsNoMoreThanWasEverInUse) {
  MemoryPool pool(/*slack=*/0);
  std::vector<void*> blocks;
  for (int i = 0; i < 8; ++i) blocks.push_back(pool.take(2 * kMegabyte));
  for (void* block : blocks) pool.give_back(block);
  EXPECT_EQ(pool.use().waiting, 16 * kMegabyte);
  void* const larger = pool.take(5 * kMegabyte);  // three of the waiting blocks make room
  EXPECT_EQ(pool.use().waiting, 10 * kMegabyte);
  EXPECT_EQ(pool.use().most_in_use, 16 * kMegabyte);
  void* const largest = pool.take(40 * kMegabyte);
  EXPECT_EQ(pool.use().waiting, 0);
  EXPECT_EQ(pool.use().in_use, 45 * kMegabyte);
  pool.give_back(larger);
  EXPECT_EQ(pool.use().waiting, 5 * kMegabyte);
  pool.forget();
  EXPECT_EQ(pool.use().waiting, 0);
  EXPECT_EQ(pool.use().most_in_use, 40 * kMegabyte);
  pool.give_back(largest);
}

TEST(MemoryPool, SizesThatDifferALittleShareBlocks) {
  MemoryPool pool;
  void* block = pool.take(1000001);
  pool.give_back(block);
  for (int64_t bytes = 1000001; bytes < 1015000; bytes += 1000) {
    EXPECT_EQ(pool.take(bytes), block);
    pool.give_back(block);
  }
  void* const next = pool.take(1100000);
  EXPECT_NE(next, block);
  pool.give_back(next);
}

TEST(MemoryPool, RefusesWhatTheSystemDoesNotHave) {
  MemoryPool pool;
  EXPECT_EQ(pool.take(int64_t{1} << 60), nullptr);
  EXPECT_EQ(pool.use().in_use, 0);
}

TEST(MemoryPool, ThreadsNeverShareABlockInUse) {
  MemoryPool pool(/*slack=*/0);
  std::atomic<int> spoiled = 0;
  const auto work = [&](int own) {
    for (int64_t i = 0; i < 400; ++i) {
      const int64_t bytes = (64 << 10) * (1 + (i * 7 + own) % 5);
      auto* const block = static_cast<unsigned char*>(pool.take(bytes));
      std::memset(block, own, static_cast<size_t>(bytes));
      std::this_thread::yield();
      spoiled += std::any_of(block, block + bytes, [&](unsigned char c) { return c != own; });
      pool.give_back(block);
    }
  };
  std::vector<std::thread> threads;
  for (int own = 1; own <= 4; ++own) threads.emplace_back(work, own);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(spoiled, 0);
  EXPECT_EQ(pool.use().in_use, 0);
}

}  // namespace
}  // namespace hijack::memory_pool_test
