// What a steering direction is made of: the regression on patches, and which patches it finds.
#include <gtest/gtest.h>

#include "src/base/random.h"
#include "src/experiment/inside/lasso.h"
#include "src/experiment/inside/train_steering.h"

namespace hijack::steering_test {
namespace {

TEST(Lasso, SolutionsMeetTheirConditions) {
  Random random(3);
  const Tensor x = random.normal_tensor({40, 12}).to(at::kDouble);
  Tensor truth = at::zeros({12}, at::kDouble);
  truth[2] = 3, truth[7] = -2;
  const Tensor y = x.matmul(truth) + 5 + random.normal_tensor({40}).to(at::kDouble) * 0.1;
  for (const double alpha : {0.01, 0.3, 1.0}) {
    const Tensor w = lasso(x, y, alpha);
    const Tensor left = (y - y.mean()) - (x - x.mean(0, true)).matmul(w);
    const Tensor slope = (x - x.mean(0, true)).t().matmul(left) / 40;  // alpha sign(w), or within +-alpha
    for (int64_t f = 0; f < 12; ++f) {
      const double weight = w[f].item<double>(), at = slope[f].item<double>();
      if (weight != 0)
        EXPECT_NEAR(at, weight > 0 ? alpha : -alpha, 1e-6);
      else
        EXPECT_LE(std::abs(at), alpha + 1e-9);
    }
  }
  EXPECT_EQ(lasso(x, y, 1e3).abs().sum().item<double>(), 0) << "nothing is worth so much";
  EXPECT_GT(lasso(x, y, 0.3)[2].item<double>(), 2);
}

TEST(Steering, FindsThePatchesThatMatterAndNoOthers) {
  Random random(5);
  const Tensor image = random.uniform_tensor({1, 3, 40, 48}, 0, 1);  // 3 x 3 patches of 16, the last row of 8
  SteeringTrainConfig config;
  const auto planted = [&](const Tensor& shown) {
    const auto same = [&](int64_t top, int64_t left, int64_t height) {
      return at::equal(shown.narrow(2, top, height).narrow(3, left, 16),
                       image.narrow(2, top, height).narrow(3, left, 16));
    };
    return (same(0, 32, 16) ? 4.0 : 0.0) + (same(32, 16, 8) ? 2.0 : 0.0) - (same(16, 0, 16) ? 1.0 : 0.0);
  };
  EXPECT_EQ(strongest_patches(planted, image, config, random), (std::vector<int64_t>{2, 7}));
  config.patches = 1;
  EXPECT_EQ(strongest_patches(planted, image, config, random), (std::vector<int64_t>{2}));
  EXPECT_TRUE(strongest_patches([](const Tensor&) { return 1.0; }, image, config, random).empty());
}

TEST(Steering, APatchThatIsTakenAwayHasTheMeanColor) {
  Random random(5);
  const Tensor image = random.uniform_tensor({1, 3, 40, 48}, 0, 1);
  const Tensor ablated = without_patches(image, {7}, 16);
  const Tensor changed = (ablated != image).any(1).squeeze(0);
  EXPECT_EQ(changed.sum().item<int64_t>(), 8 * 16);
  EXPECT_EQ(changed.narrow(0, 32, 8).narrow(1, 16, 16).sum().item<int64_t>(), 8 * 16);
  EXPECT_TRUE(at::allclose(ablated[0].select(1, 33).select(1, 20), image.mean({0, 2, 3})));
}

}  // namespace
}  // namespace hijack::steering_test
