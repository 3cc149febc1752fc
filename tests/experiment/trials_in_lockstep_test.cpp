// Attacks side by side: what the model is asked together, what each gets, and how one ends without the
// others.
#include <gtest/gtest.h>

#include "models/load_model.h"
#include "models/model_decorator.h"
#include "src/base/error.h"
#include "src/experiment/parallel/lockstep.h"

namespace hijack::trials_in_lockstep_test {
namespace {

/// Counts the images of each pass.
class Counted : public ModelDecorator {
 public:
  using ModelDecorator::ModelDecorator;
  std::vector<std::vector<Tensor>> logits_of_images(std::span<const ImageQueries> images) const override {
    passes.push_back(images.size());
    return inner().logits_of_images(images);
  }
  std::vector<std::vector<Generated>> replies_of_images(std::span<const ImageQueries> images,
                                                        const GenerateOptions& options) const override {
    passes.push_back(images.size());
    return inner().replies_of_images(images, options);
  }
  mutable std::vector<size_t> passes;
};

class TrialsInLockstep : public testing::Test {
 protected:
  const std::shared_ptr<const VisionLanguageModel> model_ = load_model(
      std::filesystem::path(HIJACK_SOURCE_DIR) / "tests/golden/llava/clip_gqa", {.dtype = "float32"});
  const std::shared_ptr<const Counted> counted_ = std::make_shared<const Counted>(model_);
  const std::vector<Query> queries_ = {{.prompt = "What is in this picture?"}, {.prompt = "Say it"}};
  const std::vector<TokenIds> targets_ = {model_->target_ids("the cat"), model_->target_ids("a dog in it")};

  Tensor image(size_t number) const {
    const ImageSpec spec = model_->image_spec();
    const Tensor y = at::linspace(0, 1, spec.height).view({1, 1, -1, 1});
    const Tensor x = at::linspace(0, 1, spec.width).view({1, 1, 1, -1});
    const Tensor phase = at::tensor({0.0, 2.1, 4.2}, at::kFloat).view({1, 3, 1, 1});
    const Tensor color = 0.5 + 0.4 * (9 * x + 5 * y + phase + static_cast<double>(number)).sin();
    return (color * 255).round() / 255;
  }
  Tensor loss(const VisionLanguageModel& model, const Tensor& leaf) const {
    const auto logits = model.target_logits(model.preprocess(leaf), queries_, targets_);
    Tensor sum = at::zeros({1});
    for (size_t i = 0; i < logits.size(); ++i)
      sum = sum + at::cross_entropy_loss(logits[i], at::tensor(targets_[i], at::kLong));
    return sum;
  }
  std::vector<Generated> said(const VisionLanguageModel& model, size_t number,
                              const GenerateOptions& options) const {
    const at::NoGradGuard no_gradients;
    return model.generate(model.preprocess(image(number)), queries_, options);
  }
};

void nothing_between() {}

/// Steps of a descent with its gradients; ends after its own number of steps.
TEST_F(TrialsInLockstep, StepsAreThoseOfEachAloneWhoeverEndsFirst) {
  const std::vector<int64_t> steps = {3, 1, 4};
  const auto descend = [&](size_t i, const VisionLanguageModel& model, const auto& gradient) {
    Tensor point = image(i);
    for (int64_t step = 0; step < steps[i]; ++step) {
      const Tensor leaf = point.clone().requires_grad_(true);
      const Tensor value = loss(model, leaf);
      const Tensor slope = gradient(value, leaf);
      point = (point - slope * (0.02 / slope.abs().max())).clamp(0, 1);  // raw slopes would amplify rounding
    }
    return point;
  };
  Lockstep lockstep(steps.size());
  std::vector<Tensor> found(steps.size());
  lockstep.run(
      [&](size_t i) {
        LockstepSeat& seat = lockstep.seat(i);
        found[i] = descend(i, *seat.in_turn(counted_), [&](const Tensor& value, const Tensor& leaf) {
          return seat.gradients(value, {leaf}).at(0);
        });
      },
      nothing_between);
  EXPECT_EQ(counted_->passes, (std::vector<size_t>{3, 2, 2, 1}));
  for (size_t i = 0; i < steps.size(); ++i) {
    ASSERT_EQ(lockstep.failure(i), nullptr);
    EXPECT_TRUE(lockstep.ended(i));
    EXPECT_GT(lockstep.seat(i).seconds(), 0);
    const Tensor alone = descend(i, *model_, [](const Tensor& value, const Tensor& leaf) {
      return torch::autograd::grad({value}, {leaf})[0];
    });
    EXPECT_GT((alone - image(i)).abs().max().item<double>(), 0);
    EXPECT_LE((found[i] - alone).abs().max().item<double>(), 1e-5);
  }
}

/// One asks three times before its gradient, the others once: no graph is gone through before all its losses
/// are there.
TEST_F(TrialsInLockstep, GradientsWaitForWhoAsksMoreOften) {
  Lockstep lockstep(3);
  std::vector<Tensor> found(3);
  const auto gradient = [&](size_t i, const VisionLanguageModel& model, LockstepSeat* seat) {
    const Tensor leaf = image(i).requires_grad_(true);
    Tensor sum = at::zeros({1});
    for (int64_t k = 0; k < (i == 1 ? 3 : 1); ++k) sum = sum + loss(model, leaf);
    return seat != nullptr ? seat->gradients(sum, {leaf}).at(0) : torch::autograd::grad({sum}, {leaf})[0];
  };
  lockstep.run(
      [&](size_t i) { found[i] = gradient(i, *lockstep.seat(i).in_turn(counted_), &lockstep.seat(i)); },
      nothing_between);
  EXPECT_EQ(counted_->passes, (std::vector<size_t>{3, 1, 1}));
  for (size_t i = 0; i < found.size(); ++i) {
    ASSERT_EQ(lockstep.failure(i), nullptr);
    const Tensor alone = gradient(i, *model_, nullptr);
    const double largest = alone.abs().max().item<double>();
    EXPECT_LE((found[i] - alone).abs().max().item<double>(), 1e-4 * largest);
  }
}

TEST_F(TrialsInLockstep, RepliesOfOneKindAreAskedForTogether) {
  const std::vector<GenerateOptions> options = {{.max_new_tokens = 6},
                                                {.max_new_tokens = 6},
                                                {.max_new_tokens = 9},
                                                {.max_new_tokens = 6, .temperature = 1, .seeds = {3, 4}},
                                                {.max_new_tokens = 6, .temperature = 1, .seeds = {5, 6}},
                                                {.max_new_tokens = 6, .temperature = 1, .seed = 8}};
  Lockstep lockstep(options.size());
  std::vector<std::vector<Generated>> found(options.size());
  lockstep.run([&](size_t i) { found[i] = said(*lockstep.seat(i).in_turn(counted_), i, options[i]); },
               nothing_between);
  EXPECT_EQ(counted_->passes, (std::vector<size_t>{2, 1, 2, 1}));
  for (size_t i = 0; i < options.size(); ++i) {
    ASSERT_EQ(lockstep.failure(i), nullptr);
    EXPECT_EQ(found[i], said(*model_, i, options[i])) << i;
  }
}

TEST_F(TrialsInLockstep, AnErrorIsItsOwn) {
  Lockstep lockstep(3);
  std::vector<Tensor> found(3);
  lockstep.run(
      [&](size_t i) {
        const auto model = lockstep.seat(i).in_turn(counted_);
        const at::NoGradGuard no_gradients;
        std::string prompt = "Say it";
        for (int64_t k = 0; i == 1 && k < 4000; ++k) prompt += " it";  // more than the context holds
        found[i] =
            model->target_logits(model->preprocess(image(i)), {{{.prompt = prompt}}}, {{targets_[0]}})[0];
      },
      nothing_between);
  EXPECT_EQ(counted_->passes, (std::vector<size_t>{3, 1, 1, 1})) << "together, then each";
  ASSERT_NE(lockstep.failure(1), nullptr);
  EXPECT_THROW(std::rethrow_exception(lockstep.failure(1)), Error);
  for (const size_t i : {0, 2}) {
    EXPECT_EQ(lockstep.failure(i), nullptr);
    EXPECT_TRUE(found[i].defined());
  }
}

TEST_F(TrialsInLockstep, WhatGoesWrongBetweenStopsAll) {
  Lockstep lockstep(2);
  std::vector<int64_t> asked(2, 0);
  const auto work = [&](size_t i) {
    LockstepSeat& seat = lockstep.seat(i);
    for (; asked[i] < 100 && !seat.stop().stop_requested(); ++asked[i])
      said(*seat.in_turn(counted_), i, {.max_new_tokens = 1});
  };
  int64_t calls = 0;
  const auto between = [&] {
    if (++calls == 3) throw Failure("the disk is full");
  };
  EXPECT_THROW(lockstep.run(work, between), Failure);
  EXPECT_EQ(asked, (std::vector<int64_t>{3, 3}));
  EXPECT_EQ(calls, 3);
}

}  // namespace
}  // namespace hijack::trials_in_lockstep_test
