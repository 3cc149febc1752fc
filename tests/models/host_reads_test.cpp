// What a step of an attack sends to the model's device, and what it waits for.
#include <gtest/gtest.h>

#include "attacks/attack.h"
#include "attacks/objectives/behavior_matching.h"
#include "models/load_model.h"
#include "src/base/image.h"
#include "src/base/upload.h"
#include "tests/support/transfers.h"

namespace hijack::host_reads_test {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden";

struct Counted {
  int64_t uploads = 0, reads = 0;
};

/// Of each step of an attack on three contexts, the last of them not validated.
std::vector<Counted> counted_steps(const std::string& folder, const std::string& optimizer_name,
                                   int64_t steps) {
  const std::shared_ptr<const VisionLanguageModel> model = load_model(kGolden / folder, {.dtype = "float32"});
  const std::shared_ptr<const Behavior> behavior = make_behavior({"string", "it is a cat"});
  // words of its own, so that no constant of another test serves
  const std::vector<Context> contexts = {
      {"What is it, " + folder + "?"}, {"Where is the cat?"}, {"Say " + optimizer_name}};
  const Tensor origin = model->to_input_space(load_image(kGolden / "llava/images/wide.png"));
  const Constraint ball = LinfBall{16.0 / 255};
  BehaviorMatching objective(model, behavior, contexts, /*batch=*/0, /*seed=*/0);
  const auto optimizer = make_optimizer({.name = optimizer_name, .steps = steps + 1}, ball);
  auto state = start_attack(ball, origin, /*random_start=*/true, /*seed=*/0);
  std::vector<Counted> all;
  const Transfers transfers;
  Counted before;
  const auto count = [&](const AttackState&) {
    all.push_back({transfers.uploads() - before.uploads, transfers.reads() - before.reads});
    before = {transfers.uploads(), transfers.reads()};
  };
  run_attack(state, objective, *optimizer, ball, origin, {.steps = steps + 1, .validate_every = 0},
             {.after_step = count});
  all.pop_back();
  return all;
}

class StepTransfers : public testing::TestWithParam<const char*> {};

TEST_P(StepTransfers, OneReadAndNothingSent) {
  const auto steps = counted_steps(GetParam(), "pgd", 4);
  ASSERT_EQ(steps.size(), 4U);
  EXPECT_GT(steps[0].uploads, 0) << "nothing was counted";
  for (size_t i = 1; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i].reads, 1) << "step " << i;
    EXPECT_EQ(steps[i].uploads, 0) << "step " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Golden, StepTransfers,
                         testing::Values("llava/clip_gqa", "idefics3/hub_tiles", "llava_onevision/anyres",
                                         "qwen2_vl/small", "qwen2_5_vl/small", "qwen3_vl/small",
                                         "paligemma/small", "paligemma/gemma2", "gemma3/small",
                                         "internvl/six", "instructblip/small", "mistral3/small"));

TEST(Transfers, AreCounted) {
  const Transfers transfers;
  const Tensor one = at::ones({2});
  EXPECT_EQ(transfers.reads(), 0);
  EXPECT_EQ(one.sum().item<float>(), 2);
  EXPECT_EQ(read_numbers(one), (std::vector<double>{1, 1}));
  EXPECT_EQ(transfers.reads(), 2);
  EXPECT_EQ(transfers.uploads(), 0);
  uploaded(one, one.options());
  EXPECT_EQ(transfers.uploads(), 1);
  EXPECT_EQ(transfers.crossings(), 0);
}

}  // namespace
}  // namespace hijack::host_reads_test
