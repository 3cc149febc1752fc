#include "models/arithmetic.h"

#include <ATen/Context.h>
#include <gtest/gtest.h>

namespace hijack::arithmetic_test {
namespace {

TEST(Arithmetic, IsExactForCudaAndLeftAloneElsewhere) {
  const bool before = at::globalContext().deterministicAlgorithms(), tf32 = at::globalContext().allowTF32CuDNN();
  use_exact_arithmetic(at::kCPU);
  EXPECT_EQ(at::globalContext().deterministicAlgorithms(), before);
  EXPECT_EQ(at::globalContext().allowTF32CuDNN(), tf32);
  EXPECT_EQ(arithmetic_in_words(), "as libtorch is set");
  use_exact_arithmetic(at::Device(at::kCUDA, 0));
  EXPECT_TRUE(at::globalContext().deterministicAlgorithms());
  EXPECT_FALSE(at::globalContext().allowTF32CuBLAS());
  EXPECT_FALSE(at::globalContext().allowTF32CuDNN());
  EXPECT_NE(arithmetic_in_words().find("without TF32"), std::string::npos);
  at::globalContext().setDeterministicAlgorithms(before, false);
  at::globalContext().setAllowTF32CuDNN(tf32);
}

}  // namespace
}  // namespace hijack::arithmetic_test
