// What each image transform does; what all of them have in common is in all_defenses_test.cpp.
#include <gtest/gtest.h>

#include "defenses/image/bit_depth.h"
#include "defenses/image/blur.h"
#include "defenses/image/crop.h"
#include "defenses/image/median.h"
#include "defenses/image/noise.h"
#include "defenses/image/opencv_filters.h"
#include "defenses/image/resize_pad.h"
#include "defenses/image/total_variation.h"
#include "src/base/error.h"
#include "src/base/image.h"

namespace hijack::image_transforms_test {
namespace {

Tensor picture(uint64_t seed = 1) {
  return quantize(Random(seed).uniform_tensor({1, 3, 20, 26}, 0, 1));
}

/// Largest error of the gradient along random directions, relative to the slope.
double gradient_error(const std::function<Tensor(const Tensor&)>& transform, double step) {
  Random random(9);
  // Not on the lattice: where two pixels are equal, a median has no gradient.
  const Tensor image =
      Random(1).uniform_tensor({1, 3, 20, 26}, 0.1, 0.9).to(at::kDouble).requires_grad_(true);
  const Tensor weights = random.normal_tensor(image.sizes()).to(at::kDouble);
  const Tensor gradient = torch::autograd::grad({(transform(image) * weights).sum()}, {image})[0];
  at::NoGradGuard no_grad;
  double worst = 0;
  for (int i = 0; i < 3; ++i) {
    const Tensor direction = random.normal_tensor(image.sizes()).to(at::kDouble);
    const auto value = [&](double t) {
      return (transform(image + t * direction) * weights).sum().item<double>();
    };
    const double slope = (value(step) - value(-step)) / (2 * step);
    worst = std::max(worst,
                     std::abs(slope - (gradient * direction).sum().item<double>()) / (1 + std::abs(slope)));
  }
  return worst;
}

TEST(BitDepth, KeepsTheLevels) {
  Random random(0);
  const Tensor after = BitDepth({.bits = 1}).apply(picture(), random);
  EXPECT_TRUE(at::equal(after, (picture() > 0.5).to(at::kFloat)));
  for (int64_t bits = 1; bits <= 7; ++bits) {
    const Tensor levels = std::get<0>(at::_unique(BitDepth({.bits = bits}).apply(picture(), random)));
    EXPECT_LE(levels.numel(), int64_t{1} << bits);
  }
}

TEST(Median, IsOpenCvsMedian) {
  if (!have_opencv()) GTEST_SKIP();
  for (const int64_t size : {3, 5})
    EXPECT_TRUE(at::equal(median_filter(picture(), size), opencv_median(picture(), size))) << size;
}

TEST(Median, EvenSizeTakesTheUpperMedian) {
  Tensor image = at::zeros({1, 1, 2, 2});
  image[0][0][0][0] = 0.1, image[0][0][0][1] = 0.2, image[0][0][1][0] = 0.3, image[0][0][1][1] = 0.4;
  EXPECT_FLOAT_EQ(median_filter(image, 2)[0][0][1][1].item<float>(), 0.3f);
  EXPECT_FLOAT_EQ(median_filter(image, 2)[0][0][0][0].item<float>(), 0.1f) << "edges are repeated";
}

TEST(Median, RemovesASinglePixel) {
  Tensor image = at::full({1, 3, 9, 9}, 0.4);
  image[0][1][4][4] = 1;
  EXPECT_TRUE(at::equal(median_filter(image, 3), at::full({1, 3, 9, 9}, 0.4)));
}

TEST(Blur, SurrogateIsOpenCvsBlurWithinOneStep) {
  if (!have_opencv()) GTEST_SKIP();
  for (const double sigma : {0.5, 1.0, 2.3}) {
    Random random(0);
    const Blur blur({.sigma = sigma});
    const Tensor difference = blur.apply(picture(), random) - blur.surrogate(picture(), random);
    EXPECT_LT(difference.abs().max().item<double>() * 255, 1.5) << sigma;
  }
}

TEST(Blur, RefusesImagesThatAreTooSmall) {
  Random random(0);
  EXPECT_THROW(Blur({.sigma = 7}).apply(picture(), random), Error);
}

TEST(Noise, HasItsDeviation) {
  Random random(3);
  const Tensor gray = at::full({1, 3, 64, 64}, 0.5);
  const Tensor after = Noise({.sigma = 10}).apply(gray, random);
  EXPECT_NEAR((after - gray).std().item<double>() * 255, 10, 0.5);
  EXPECT_TRUE(on_lattice(after));
}

TEST(ResizePad, ShrinksAndPadsWithBlack) {
  const Tensor white = at::ones({1, 3, 40, 60});
  std::set<double> shares;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random random(seed);
    const Tensor after = ResizePad({.smallest = 0.5}).apply(white, random);
    ASSERT_EQ(after.sizes(), white.sizes());
    const double share = after.mean().item<double>();
    EXPECT_GE(share, 0.24);
    EXPECT_LE(share, 1);
    shares.insert(share);
  }
  EXPECT_GT(shares.size(), 10u);
  Random random(0);
  EXPECT_TRUE(at::equal(ResizePad({.smallest = 1}).apply(picture(), random), picture()));
}

TEST(Crop, KeepsTheWholeImageOrAPart) {
  Random random(0);
  EXPECT_TRUE(at::equal(Crop({.keep = 1}).apply(picture(), random), picture()));
  Tensor half = at::zeros({1, 3, 40, 40});
  half.narrow(3, 20, 20).fill_(1);
  std::set<double> shares;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Random draw(seed);
    shares.insert(Crop({.keep = 0.5}).apply(half, draw).mean().item<double>());
  }
  EXPECT_GT(shares.size(), 5u);
}

TEST(TotalVariation, SmoothsNoiseAndKeepsFlatAreasAndTheMean) {
  const Tensor flat = at::full({1, 3, 16, 16}, 0.3);
  EXPECT_LT((denoised_by_total_variation(flat, 0.1, 50) - flat).abs().max().item<double>(), 1e-5);
  const Tensor after = denoised_by_total_variation(picture(), 0.1, 100);
  EXPECT_NEAR(after.mean().item<double>(), picture().mean().item<double>(), 1e-5);
  const auto variation = [](const Tensor& x) {
    return (x.diff(1, 2).abs().sum() + x.diff(1, 3).abs().sum()).item<double>();
  };
  EXPECT_LT(variation(after), 0.7 * variation(picture()));
  EXPECT_GT(variation(denoised_by_total_variation(picture(), 0.01, 100)), variation(after));
}

TEST(TotalVariation, LowersItsObjective) {
  const Tensor image = picture();
  const auto objective = [&](const Tensor& z) {
    const Tensor dy = at::constant_pad_nd(z.diff(1, 2), {0, 0, 0, 1}, 0);
    const Tensor dx = at::constant_pad_nd(z.diff(1, 3), {0, 1}, 0);
    return (0.5 * (z - image).square().sum() + 0.1 * (dy * dy + dx * dx).sqrt().sum()).item<double>();
  };
  const Tensor solved = denoised_by_total_variation(image, 0.1, 500);
  Random random(4);
  for (const double size : {1e-2, 1e-1})
    EXPECT_LT(objective(solved), objective(solved + size * random.normal_tensor(image.sizes()))) << size;
  EXPECT_LT(objective(solved), objective(image));
  EXPECT_LT(objective(solved), objective(denoised_by_total_variation(image, 0.1, 3)));
}

TEST(Surrogates, GradientsAreExact) {
  EXPECT_LT(gradient_error([](const Tensor& x) { return median_filter(x, 3); }, 1e-7), 1e-4);
  EXPECT_LT(gradient_error([](const Tensor& x) { return gaussian_blur(x, 1.2); }, 1e-4), 1e-4);
  EXPECT_LT(gradient_error([](const Tensor& x) { return denoised_by_total_variation(x, 0.05, 10); }, 1e-6),
            1e-3);
}

}  // namespace
}  // namespace hijack::image_transforms_test
