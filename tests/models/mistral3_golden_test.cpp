// Mistral 3 against transformers: tests/golden/mistral3/make.py made the checkpoints and the expectations.
#include <gtest/gtest.h>

#include "tests/support/family_golden.h"

namespace hijack::mistral3_golden_test {
namespace {

class Mistral3Golden : public testing::TestWithParam<const char*> {
 protected:
  FamilyGolden golden_{std::string("mistral3/") + GetParam()};
};

TEST_P(Mistral3Golden, IdsAndPixels) {
  golden_.expect_ids_and_pixels();
}

TEST_P(Mistral3Golden, LogitsAndGradients) {
  golden_.expect_logits_and_gradients();
}

TEST_P(Mistral3Golden, BatchOfContexts) {
  golden_.expect_batch_gradient();
}

TEST_P(Mistral3Golden, Replies) {
  golden_.expect_replies();
}

TEST_P(Mistral3Golden, SystemTextAndTurns) {
  golden_.expect_dialog();
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, Mistral3Golden, testing::Values("small", "hub_bf16"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace hijack::mistral3_golden_test
