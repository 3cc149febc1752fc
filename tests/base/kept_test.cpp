#include "src/base/kept.h"

#include <gtest/gtest.h>

#include "src/base/device_memory.h"
#include "src/base/upload.h"

namespace hijack::kept_test {
namespace {

TEST(Kept, TheLatestAsFarAsTheRoomGoes) {
  Kept<std::string, int> kept(10);
  kept.keep("a", 1, 4);
  kept.keep("b", 2, 4);
  EXPECT_EQ(kept.find("a"), 1);  // now later than b
  kept.keep("c", 3, 4);
  EXPECT_EQ(kept.find("b"), std::nullopt);
  EXPECT_EQ(kept.find("a"), 1);
  EXPECT_EQ(kept.find("c"), 3);
  kept.keep("d", 4, 11);  // too large, and nothing goes for it
  EXPECT_EQ(kept.find("d"), std::nullopt);
  EXPECT_EQ(kept.find("a"), 1);
  kept.keep("a", 9, 4);  // as kept
  EXPECT_EQ(kept.find("a"), 1);
  kept.keep("e", 5, 10);
  EXPECT_EQ(kept.find("a"), std::nullopt);
  EXPECT_EQ(kept.find("c"), std::nullopt);
  EXPECT_EQ(kept.find("e"), 5);
  Kept<std::string, int> copy(kept);
  EXPECT_EQ(copy.find("e"), std::nullopt);
}

TEST(Constants, AreWhatWasAskedFor) {
  const std::vector<int64_t> ids = {5, -1, int64_t{1} << 60, 0};
  const Tensor flat = constant_ids(ids, at::kCPU);
  EXPECT_TRUE(at::equal(flat, at::tensor(ids, at::kLong)));
  EXPECT_TRUE(constant_ids(ids, at::kCPU).is_same(flat));
  const Tensor square = constant_ids(flat.view({2, 2}).t(), at::kCPU);
  EXPECT_TRUE(at::equal(square, flat.view({2, 2}).t()));
  EXPECT_EQ(constant_ids(std::vector<int64_t>(), at::kCPU).sizes(), (std::vector<int64_t>{0}));
  const std::vector<double> numbers = {0.1, -0.0, 1e300};
  EXPECT_TRUE(
      at::equal(constant_numbers(numbers, at::TensorOptions(at::kDouble)), at::tensor(numbers, at::kDouble)));
  EXPECT_TRUE(at::equal(constant_numbers(numbers, at::TensorOptions(at::kFloat)),
                        at::tensor(numbers, at::kDouble).to(at::kFloat)));
}

TEST(DeviceMemory, OfTheProcessorAndOfNothing) {
  EXPECT_GT(available_memory_of(at::kCPU), 0);
  EXPECT_EQ(available_memory_of(at::kMeta), 0);
}

}  // namespace
}  // namespace hijack::kept_test
