// LLaVA-NeXT against transformers: tests/golden/llava_next/make.py made the checkpoints and the expectations.
#include <gtest/gtest.h>

#include "tests/support/family_golden.h"

namespace hijack::llava_next_golden_test {
namespace {

class LlavaNextGolden : public testing::TestWithParam<const char*> {
 protected:
  FamilyGolden golden_{std::string("llava_next/") + GetParam()};
};

TEST_P(LlavaNextGolden, IdsAndPixels) {
  golden_.expect_ids_and_pixels();
  golden_.expect_dialog();
}

TEST_P(LlavaNextGolden, LogitsAndGradients) {
  golden_.expect_logits_and_gradients();
}

TEST_P(LlavaNextGolden, BatchOfContexts) {
  golden_.expect_batch_gradient();
}

TEST_P(LlavaNextGolden, Replies) {
  golden_.expect_replies();
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, LlavaNextGolden, testing::Values("mistral", "hub_vicuna", "granite"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace hijack::llava_next_golden_test
