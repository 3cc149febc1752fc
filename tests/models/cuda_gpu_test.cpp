// The same code on a GPU: a step's logits and gradient, replies, an attack and a suffix search.
#include <gtest/gtest.h>

#include "attacks/attack.h"
#include "attacks/objectives/behavior_matching.h"
#include "attacks/optimizer.h"
#include "attacks/text/gcg.h"
#include "models/load_model.h"
#include "src/base/image.h"
#include "tests/support/transfers.h"

namespace hijack::cuda_gpu_test {
namespace {

const std::filesystem::path kGolden = std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden";
const std::filesystem::path kPhoto = kGolden / "llava/images/wide.png";

double difference(const Tensor& a, const Tensor& b) {
  return ((a.cpu() - b).abs().max() / b.abs().max()).item<double>();
}

class CudaFamilies : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (at::getNumGPUs() == 0) GTEST_SKIP() << "this libtorch sees no CUDA device";
  }
};

struct Step {
  Tensor logits, gradient;
};

Step step_of(const VisionLanguageModel& model) {
  const std::vector<Query> queries = {{"What is it?"}, {"Where is the cat?"}, {"Say something else."}};
  const TokenIds target = model.target_ids("it is a cat");
  const std::vector<TokenIds> targets(queries.size(), target);
  const Tensor image = load_image(kPhoto).to(model.device()).requires_grad_(true);
  const Tensor logits = at::cat(model.target_logits(model.preprocess(image), queries, targets), 0);
  const Tensor ids = at::tensor(target, at::kLong).repeat({3}).to(model.device());
  const Tensor loss = at::cross_entropy_loss(logits, ids);
  return {logits.detach(), torch::autograd::grad({loss}, {image})[0]};
}

TEST_P(CudaFamilies, StepEqualsTheProcessors) {
  const Step expected = step_of(*load_model(kGolden / GetParam(), {.dtype = "float32"}));
  const int count = static_cast<int>(at::getNumGPUs());
  for (int index = 0; index < count; ++index) {
    const std::string device = "cuda:" + std::to_string(index);
    const auto model = load_model(kGolden / GetParam(), {.device = device, .dtype = "float32"});
    const Step got = step_of(*model);
    EXPECT_EQ(got.logits.device(), at::Device(device));
    EXPECT_LT(difference(got.logits, expected.logits), 1e-4) << device;
    EXPECT_LT(difference(got.gradient, expected.gradient), 1e-3) << device;
  }
}

TEST_P(CudaFamilies, RepliesEqualTheProcessors) {
  const std::vector<Query> queries = {{"What is it?"}, {"Where is the cat?"}};
  const auto ask = [&](const std::string& device) {
    const auto model = load_model(kGolden / GetParam(), {.device = device, .dtype = "float32"});
    const Tensor image = load_image(kPhoto).to(model->device());
    return model->generate(model->preprocess(image), queries, {.max_new_tokens = 8});
  };
  EXPECT_EQ(ask("cuda"), ask("cpu"));
}

INSTANTIATE_TEST_SUITE_P(Golden, CudaFamilies,
                         testing::Values("llava/clip_gqa", "idefics3/hub_tiles", "llava_onevision/anyres",
                                         "qwen2_vl/small", "qwen2_5_vl/small", "qwen3_vl/small",
                                         "paligemma/small", "paligemma/gemma2", "gemma3/small"));

/// Crossings of each step of plain PGD that made the processor wait.
std::vector<int64_t> crossings(const std::string& folder) {
  const auto model = load_model(kGolden / folder, {.device = "cuda", .dtype = "float32"});
  const std::shared_ptr<const Behavior> behavior = make_behavior({"string", "it is a cat"});
  const std::vector<Context> contexts = {{"What is it?"}, {"Where is the cat?"}};
  const Tensor origin = model->to_input_space(load_image(kPhoto)).to(model->device());
  const Constraint ball = LinfBall{16.0 / 255};
  BehaviorMatching objective(model, behavior, contexts, /*batch=*/0, /*seed=*/0);
  const auto optimizer = make_optimizer({.name = "pgd", .steps = 5}, ball);
  auto state = start_attack(ball, origin, /*random_start=*/false, /*seed=*/0);
  std::vector<int64_t> all;
  const Transfers transfers;
  int64_t before = 0;
  const auto count = [&](const AttackState&) {
    all.push_back(transfers.crossings() - before);
    before = transfers.crossings();
  };
  run_attack(state, objective, *optimizer, ball, origin, {.steps = 5, .validate_every = 0},
             {.after_step = count});
  all.pop_back();  // validates
  return all;
}

TEST_P(CudaFamilies, AStepWaitsOnce) {
  const auto all = crossings(GetParam());
  ASSERT_EQ(all.size(), 4U);
  for (size_t step = 1; step < all.size(); ++step) EXPECT_EQ(all[step], 1) << step;
}

TEST_P(CudaFamilies, ImagesAreResizedToTheProcessorsBytes) {
  const auto on_gpu = load_model(kGolden / GetParam(), {.device = "cuda", .dtype = "float32"});
  const auto model = load_model(kGolden / GetParam(), {.dtype = "float32"});
  const Tensor photo = load_image(kPhoto);
  EXPECT_TRUE(
      at::equal(on_gpu->to_input_space(photo.to(on_gpu->device())).cpu(), model->to_input_space(photo)));
}

TEST(CudaAttack, LowersTheLossInsideTheBall) {
  if (at::getNumGPUs() == 0) GTEST_SKIP() << "this libtorch sees no CUDA device";
  const auto model = load_model(kGolden / "llava/clip_gqa", {.device = "cuda", .dtype = "float32"});
  const std::shared_ptr<const Behavior> behavior = make_behavior({"string", "it is a cat"});
  const std::vector<Context> contexts = {{"What is it?"}, {"Where is the cat?"}};
  const Tensor origin = model->to_input_space(load_image(kPhoto)).to(model->device());
  const Constraint ball = LinfBall{16.0 / 255};
  BehaviorMatching objective(model, behavior, contexts, /*batch=*/0, /*seed=*/0);
  for (const char* name : {"pgd", "apgd", "adam", "square"}) {
    const auto optimizer = make_optimizer({.name = name, .steps = 8}, ball);
    auto state = start_attack(ball, origin, /*random_start=*/false, /*seed=*/0);
    run_attack(state, objective, *optimizer, ball, origin, {.steps = 8});
    EXPECT_LE(*std::min_element(state.losses.begin(), state.losses.end()), state.losses.front()) << name;
    EXPECT_TRUE(measure_budget(ball, state.best_image, origin).respected) << name;
  }
  const auto suffix =
      gcg_suffix(*model, origin, contexts, *behavior, {.tokens = 4, .steps = 2, .candidates = 6}, 0);
  EXPECT_FALSE(suffix.suffix.empty());
}

}  // namespace
}  // namespace hijack::cuda_gpu_test
