#include "models/preprocess/resampler.h"

#include <gtest/gtest.h>

#include "models/preprocess/filter_weights.h"
#include "models/preprocess/tensor_passes.h"
#include "src/base/image.h"
#include "src/base/random.h"
#include "tests/support/golden_picture.h"

namespace hijack::resampler_test {
namespace {

constexpr Filter kFilters[] = {Filter::kBox, Filter::kBilinear, Filter::kBicubic, Filter::kLanczos};

/// [target, source] float64: the filter of one direction, written out.
Tensor matrix(int64_t source, int64_t target, Filter filter) {
  const auto weights = filter_weights(source, target, filter);
  Tensor result = source == target ? at::eye(source, at::kDouble) : at::zeros({target, source}, at::kDouble);
  for (int64_t row = 0; row < target && source != target; ++row)
    for (int64_t i = 0; i < weights->taps(row).count; ++i)
      result[row][weights->taps(row).first + i] = weights->taps(row).reals[i];
  return result;
}

/// Gradient of sum(resize(image) * weight) by autograd.
Tensor gradient(const Tensor& image, const Tensor& weight, Filter filter) {
  const Tensor leaf = image.detach().clone().set_requires_grad(true);
  const Tensor resized = resize_image(leaf, weight.size(2), weight.size(3), filter);
  (resized * weight).sum().backward();
  return leaf.grad();
}

TEST(Resampler, GradientIsTheTransposedFilter) {
  Random random(1);
  for (const Filter filter : kFilters)
    for (const auto& [h, w, to_h, to_w] :
         {std::array<int64_t, 4>{13, 9, 5, 21}, {6, 7, 6, 3}, {6, 7, 9, 7}, {1, 8, 4, 2}}) {
      const Tensor image = random.uniform_tensor({2, 3, h, w}, 0.4, 0.6);  // nothing is clipped
      const Tensor weight = random.normal_tensor({2, 3, to_h, to_w});
      const Tensor expected = at::matmul(at::matmul(matrix(h, to_h, filter).t(), weight.to(at::kDouble)),
                                         matrix(w, to_w, filter));
      EXPECT_TRUE(at::allclose(gradient(image, weight, filter).to(at::kDouble), expected, 1e-5, 1e-6));
    }
}

// The real function is a staircase, so the steps must be large and a rounding error remains.
TEST(Resampler, GradientPredictsTheChangeOfTheExactResult) {
  Random random(2);
  for (const Filter filter : kFilters) {
    const Tensor image = quantize(random.uniform_tensor({1, 3, 24, 20}, 0.35, 0.65));
    const Tensor weight = at::ones({1, 3, 11, 13}) + random.uniform_tensor({1, 3, 11, 13}, -0.1, 0.1);
    const Tensor direction = quantize(random.uniform_tensor({1, 3, 24, 20}, 0, 0.3));
    const double predicted = (gradient(image, weight, filter) * direction).sum().item<double>();
    const double change =
        ((resize_image(image + direction, 11, 13, filter) - resize_image(image, 11, 13, filter)) * weight)
            .sum()
            .item<double>();
    EXPECT_NEAR(change / predicted, 1, 0.01);
  }
}

TEST(Resampler, GradientVanishesWhereSumsAreClipped) {
  Tensor image = at::zeros({1, 1, 1, 12});
  image.narrow(3, 6, 6).fill_(1);  // an edge: Lanczos overshoots on both sides
  const Tensor wide = at::matmul(image.to(at::kDouble), matrix(12, 48, Filter::kLanczos).t()).flatten() * 255;
  int clipped = 0, kept = 0;
  for (int64_t x = 0; x < 48; ++x) {
    const double value = wide[x].item<double>();
    if (std::abs(value + 0.5) < 0.01 || std::abs(value - 255.5) < 0.01) continue;  // rounding decides
    Tensor weight = at::zeros({1, 1, 1, 48});
    weight[0][0][0][x] = 1;
    const bool inside = value > -0.5 && value < 255.5;
    EXPECT_EQ(gradient(image, weight, Filter::kLanczos).abs().max().item<float>() > 0, inside) << value;
    ++(inside ? kept : clipped);
  }
  EXPECT_GT(clipped, 4);
  EXPECT_GT(kept, 20);
}

// What runs on a GPU, here on the processor: one direction after the other against the loops.
TEST(TensorPasses, SameBytesAndGradientsAsTheLoops) {
  Random random(4);
  int64_t clipped = 0;
  for (const Filter filter : kFilters)
    for (const auto& [from, to] :
         {std::pair<int64_t, int64_t>{40, 11}, {11, 40}, {64, 63}, {1, 5}, {9, 1}, {300, 7}})
      for (const int64_t dim : {1, 2}) {
        const int64_t height = dim == 1 ? from : 6, width = dim == 2 ? from : 6;
        const int64_t to_height = dim == 1 ? to : 6, to_width = dim == 2 ? to : 6;
        const Tensor bytes =
            to_bytes(random.uniform_tensor({2, 3, height, width}, -0.5, 1.5));  // often at an end
        const auto passed = resized_along(bytes.flatten(0, 1), dim, to, filter);
        EXPECT_TRUE(at::equal(passed.bytes, resize_bytes(bytes, to_height, to_width, filter).flatten(0, 1)));
        const Tensor weight = random.normal_tensor({2, 3, to_height, to_width});
        const Tensor kept = weight.flatten(0, 1).masked_fill(passed.clipped, 0);
        EXPECT_TRUE(at::equal(transposed_along(kept, dim, from, filter),
                              gradient(from_bytes(bytes), weight, filter).flatten(0, 1)));
        clipped += passed.clipped.sum().item<int64_t>();
      }
  EXPECT_GT(clipped, 100);
}

TEST(Resampler, SaturatedPixelsAreNotDead) {
  for (const double level : {0.0, 1.0})
    for (const Filter filter : kFilters) {
      const Tensor got = gradient(at::full({1, 1, 16, 16}, level), at::ones({1, 1, 7, 31}), filter);
      EXPECT_NEAR(got.sum().item<double>(), 7 * 31, 1e-2);
    }
}

TEST(Resampler, ConstantImagesStayConstant) {
  for (const Filter filter : kFilters)
    for (const int level : {0, 1, 127, 254, 255})
      EXPECT_TRUE(resize_bytes(at::full({1, 1, 9, 14}, level, at::kByte), 23, 5, filter)
                      .eq(level)
                      .all()
                      .item<bool>());
}

TEST(Resampler, SameSizeIsTheIdentity) {
  const Tensor image = Random(3).uniform_tensor({1, 3, 5, 6}, 0, 1);
  EXPECT_TRUE(at::equal(resize_image(image, 5, 6, Filter::kLanczos), image));
  const Tensor bytes = golden_picture(5, 6);
  EXPECT_TRUE(at::equal(resize_bytes(bytes, 5, 6, Filter::kLanczos), bytes));
}

TEST(Resampler, BatchesAndStridesDoNotMatter) {
  const Tensor a = golden_picture(12, 10), b = golden_picture(10, 12).transpose(2, 3);
  const Tensor both = resize_bytes(at::cat({a, b}), 7, 9, Filter::kBicubic);
  EXPECT_TRUE(at::equal(both.narrow(0, 0, 1), resize_bytes(a, 7, 9, Filter::kBicubic)));
  EXPECT_TRUE(at::equal(both.narrow(0, 1, 1), resize_bytes(b.contiguous(), 7, 9, Filter::kBicubic)));
  EXPECT_THROW(resize_bytes(a, 0, 5, Filter::kBox), std::exception);
  EXPECT_THROW(resize_bytes(a.to(at::kFloat), 5, 5, Filter::kBox), std::exception);
}

}  // namespace
}  // namespace hijack::resampler_test
