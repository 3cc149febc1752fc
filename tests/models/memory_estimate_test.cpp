// What a step costs: the clock behind the seconds of `hijack models inspect`.
#include "models/families/memory_estimate.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace hijack::memory_estimate_test {
namespace {

using std::chrono::milliseconds;

TEST(FastestSeconds, IsNotDisturbedByWhatElseTheMachineDoes) {
  int calls = 0;
  const double seconds = fastest_seconds([&] {
    ++calls;
    if (calls != 3) std::this_thread::sleep_for(milliseconds(60));
  });
  EXPECT_EQ(calls, 5);  // 0.2 s are over after the fifth
  EXPECT_LT(seconds, 0.05);
}

TEST(FastestSeconds, GivesUpOnWhatTakesLong) {
  int calls = 0;
  const double seconds = fastest_seconds([&] {
    ++calls;
    std::this_thread::sleep_for(milliseconds(800));
  });
  EXPECT_LE(calls, 2);
  EXPECT_GE(seconds, 0.8);
}

TEST(OperationsPerSecond, AreThoseOfAMachine) {
  const double rate = operations_per_second(at::kCPU, "float32");
  EXPECT_GT(rate, 1e8);
  EXPECT_LT(rate, 1e15);
}

}  // namespace
}  // namespace hijack::memory_estimate_test
