// PaliGemma against transformers: tests/golden/paligemma/make.py made the checkpoints and the expectations.
#include <gtest/gtest.h>

#include "tests/support/family_golden.h"

namespace hijack::paligemma_golden_test {
namespace {

class PaliGemmaGolden : public testing::TestWithParam<const char*> {
 protected:
  FamilyGolden golden_{std::string("paligemma/") + GetParam()};
};

TEST_P(PaliGemmaGolden, IdsAndPixels) {
  golden_.expect_ids_and_pixels();
}

TEST_P(PaliGemmaGolden, LogitsAndGradients) {
  golden_.expect_logits_and_gradients();
}

TEST_P(PaliGemmaGolden, BatchOfContexts) {
  golden_.expect_batch_gradient();
}

TEST_P(PaliGemmaGolden, Replies) {
  golden_.expect_replies();
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, PaliGemmaGolden,
                         testing::Values("small", "hub_bf16", "gemma2", "hub_gemma2"),
                         [](const auto& parameter) { return std::string(parameter.param); });

}  // namespace
}  // namespace hijack::paligemma_golden_test
