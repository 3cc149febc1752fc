// Several changes of an image in one call of the objective, where it takes each image by itself.
#include <gtest/gtest.h>

#include "attacks/wrappers/augmentation.h"
#include "tests/support/toy_model.h"

namespace hijack::summed_loss_test {
namespace {

/// The mean of each image, and how it was called.
struct Means : Objective {
  explicit Means(bool apart) : apart(apart) {}
  Tensor loss(const Tensor& image, int64_t) override {
    calls.push_back(image.size(0));
    return image.mean({1, 2, 3});
  }
  bool deterministic() const override { return true; }
  bool images_apart() const override { return apart; }

  bool apart;
  std::vector<int64_t> calls;
};

TEST(SummedLoss, IsThatOfTheCallsOneByOne) {
  const std::vector<Tensor> batches = {at::cat({toy_image(1), toy_image(2)}),
                                       at::cat({toy_image(3), toy_image(4)}),
                                       at::cat({toy_image(5), toy_image(6)})};
  Means apart(true), not_apart(false);
  const Tensor together = summed_loss(apart, batches, 0), one_by_one = summed_loss(not_apart, batches, 0);
  EXPECT_EQ(apart.calls, std::vector<int64_t>{6});
  EXPECT_EQ(not_apart.calls, (std::vector<int64_t>{2, 2, 2}));
  ASSERT_EQ(together.sizes(), one_by_one.sizes());
  EXPECT_LE((together - one_by_one).abs().max().item<double>(), 1e-6);
}

TEST(SummedLoss, TakesImagesOfOtherSizesOneByOne) {
  Means apart(true);
  summed_loss(apart, {toy_image(1), toy_image(2).narrow(2, 0, 8)}, 0);
  EXPECT_EQ(apart.calls, (std::vector<int64_t>{1, 1}));
  apart.calls.clear();
  summed_loss(apart, {toy_image(1)}, 0);
  EXPECT_EQ(apart.calls, std::vector<int64_t>{1});
}

Tensor augmented(bool apart, std::vector<int64_t>& calls) {
  auto means = std::make_unique<Means>(apart);
  const Means& seen = *means;
  Augmented objective(std::move(means), {.names = {"crop=0.5", "noise"}, .draws = 5}, 3);
  EXPECT_FALSE(objective.images_apart()) << "which draw an image gets depends on its place";
  const Tensor loss = objective.loss(at::cat({toy_image(1), toy_image(2)}), 7);
  calls = seen.calls;
  return loss;
}

TEST(SummedLoss, AugmentationDrawsTheSame) {
  std::vector<int64_t> together, one_by_one;
  const Tensor loss = augmented(true, together);
  EXPECT_LE((loss - augmented(false, one_by_one)).abs().max().item<double>(), 1e-6);
  EXPECT_EQ(together, std::vector<int64_t>{10});
  EXPECT_EQ(one_by_one, (std::vector<int64_t>{2, 2, 2, 2, 2}));
}

}  // namespace
}  // namespace hijack::summed_loss_test
