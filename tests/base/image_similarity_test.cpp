// SSIM and PSNR against their formulas, and what re-encoding does.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "src/base/image.h"
#include "src/base/image_similarity.h"
#include "src/base/random.h"
#include "src/base/round_trips.h"

namespace hijack::image_similarity_test {
namespace {

Tensor smooth_picture(uint64_t seed, int64_t height = 40, int64_t width = 48) {
  const Tensor coarse = Random(seed).uniform_tensor({1, 3, 6, 8}, 0.2, 0.8);
  return quantize(at::upsample_bilinear2d(coarse, {height, width}, false));
}

/// Equation 13 of Wang et al. 2004 for every window, with loops.
double ssim_with_loops(const Tensor& a, const Tensor& b) {
  double weights[11][11], sum = 0;
  for (int i = 0; i < 11; ++i)
    for (int j = 0; j < 11; ++j)
      sum += weights[i][j] = std::exp(-((i - 5) * (i - 5) + (j - 5) * (j - 5)) / (2 * 1.5 * 1.5));
  const auto x = a.accessor<float, 4>(), y = b.accessor<float, 4>();
  double total = 0;
  int64_t windows = 0;
  for (int64_t c = 0; c < 3; ++c)
    for (int64_t top = 0; top + 11 <= a.size(2); ++top)
      for (int64_t left = 0; left + 11 <= a.size(3); ++left, ++windows) {
        double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
        for (int64_t i = 0; i < 11; ++i)
          for (int64_t j = 0; j < 11; ++j) {
            const double w = weights[i][j] / sum, p = x[0][c][top + i][left + j],
                         q = y[0][c][top + i][left + j];
            mx += w * p, my += w * q, xx += w * p * p, yy += w * q * q, xy += w * p * q;
          }
        total += (2 * mx * my + 1e-4) * (2 * (xy - mx * my) + 9e-4) /
                 ((mx * mx + my * my + 1e-4) * (xx - mx * mx + yy - my * my + 9e-4));
      }
  return total / static_cast<double>(windows);
}

TEST(Ssim, IsTheFormula) {
  const Tensor a = smooth_picture(1);
  const Tensor b = (a + .1 * Random(2).normal_tensor(a.sizes())).clamp(0, 1);
  EXPECT_NEAR(ssim(a, b), ssim_with_loops(a, b), 1e-6);
  EXPECT_LT(ssim(a, b), .9);
  EXPECT_NEAR(ssim(a, a), 1, 1e-12);
  EXPECT_EQ(ssim(a, b), ssim(b, a));
  EXPECT_TRUE(std::isnan(ssim(a.narrow(2, 0, 10), b.narrow(2, 0, 10)))) << "shorter than the window";
  EXPECT_FALSE(std::isnan(ssim(a.narrow(2, 0, 11), b.narrow(2, 0, 11))));
  EXPECT_NEAR(ssim_tensor(a, b).item<double>(), ssim(a, b), 1e-4);
}

TEST(Psnr, IsTheFormula) {
  const Tensor a = at::full({1, 3, 4, 4}, .5f);
  EXPECT_NEAR(psnr(a, a + 1.f / 16), 20 * std::log10(16), 1e-5);
  EXPECT_TRUE(std::isinf(psnr(a, a)));
}

size_t colors_of(const Tensor& image) {
  const Tensor bytes = to_bytes(image).permute({0, 2, 3, 1}).contiguous();
  std::set<int> colors;
  const uint8_t* data = bytes.const_data_ptr<uint8_t>();
  for (int64_t i = 0; i < bytes.numel(); i += 3)
    colors.insert(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
  return colors.size();
}

TEST(Palette, HasNoMoreColorsThanAllowed) {
  const Tensor picture = smooth_picture(3);
  ASSERT_GT(colors_of(picture), 256u);
  double before = 0;
  for (const int64_t colors : {2, 16, 256}) {
    const Tensor reduced = palette_round_trip(picture, colors);
    EXPECT_TRUE(on_lattice(reduced));
    EXPECT_LE(colors_of(reduced), static_cast<size_t>(colors));
    EXPECT_GT(colors_of(reduced), static_cast<size_t>(colors) / 2) << "the palette is used";
    EXPECT_GT(psnr(picture, reduced), before) << "more colors are nearer";
    before = psnr(picture, reduced);
  }
  EXPECT_GT(before, 35);
  const Tensor few = palette_round_trip(picture, 100);
  EXPECT_TRUE(at::equal(palette_round_trip(few, 256), few)) << "whose colors all have an entry";
}

TEST(RoundTrips, WebpLosesAndBmpDoesNot) {
  const Tensor picture = smooth_picture(4);
  EXPECT_TRUE(at::equal(bmp_round_trip(picture), picture));
  const Tensor fine = webp_round_trip(picture, 95), coarse = webp_round_trip(picture, 5);
  EXPECT_TRUE(on_lattice(coarse));
  EXPECT_GT(psnr(picture, fine), psnr(picture, coarse));
  EXPECT_FALSE(at::equal(fine, picture));
}

}  // namespace
}  // namespace hijack::image_similarity_test
