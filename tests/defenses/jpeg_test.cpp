#include "defenses/image/jpeg.h"

#include <gtest/gtest.h>

#include "src/base/differentiable_jpeg.h"
#include "src/base/image.h"

namespace hijack::jpeg_test {
namespace {

/// A smooth scene with an edge and some texture, on the lattice.
Tensor picture(int64_t height, int64_t width) {
  const Tensor y = at::linspace(0, 1, height).view({1, height, 1});
  const Tensor x = at::linspace(0, 1, width).view({1, 1, width});
  const Tensor phase = at::arange(3).to(at::kFloat).view({3, 1, 1});
  Tensor image = 0.5 + 0.25 * at::sin(9 * x + phase) * at::cos(7 * y) + 0.1 * (x + y > 1).to(at::kFloat);
  image = image + 0.02 * Random(1).normal_tensor({3, height, width});
  return quantize(image.clamp(0, 1).unsqueeze(0));
}

TEST(DifferentiableJpeg, IsCloseToTheCodec) {
  for (const int64_t quality : {10, 30, 75, 95})
    for (const auto& [height, width] : {std::pair<int64_t, int64_t>{64, 64}, {48, 80}, {37, 53}}) {
      const Tensor image = picture(height, width);
      const Tensor real = jpeg_round_trip(image, static_cast<int>(quality));
      const double mean = (differentiable_jpeg(image, quality) - real).abs().mean().item<double>() * 255;
      EXPECT_LT(mean, 2) << "quality " << quality << ", " << height << "x" << width;
      const double identity = (image - real).abs().mean().item<double>() * 255;
      EXPECT_LT(mean, 0.6 * identity) << "it has to model the codec, not to return the image";
    }
}

TEST(DifferentiableJpeg, IsCloseToTheCodecOnAPhoto) {
  const Tensor photo = load_image(HIJACK_SOURCE_DIR "/samples/images/astronaut.png");
  const Tensor image = photo.narrow(2, photo.size(2) / 2 - 100, 200).narrow(3, photo.size(3) / 2 - 100, 200);
  for (const int64_t quality : {10, 40, 75, 95}) {
    const Tensor real = jpeg_round_trip(image, static_cast<int>(quality));
    const double mean = (differentiable_jpeg(image, quality) - real).abs().mean().item<double>() * 255;
    EXPECT_LT(mean, 1) << quality;
  }
}

TEST(DifferentiableJpeg, GradientIsThatOfTheSmoothPart) {
  const Tensor image = (picture(16, 24) * 0.6 + 0.2).requires_grad_(true);
  const Tensor weights = Random(2).normal_tensor({1, 3, 16, 24});
  const auto value = [&](const Tensor& x) { return (differentiable_jpeg(x, 50, false) * weights).sum(); };
  const Tensor rounded = (differentiable_jpeg(image, 50) * weights).sum();
  const Tensor gradient = torch::autograd::grad({rounded}, {image})[0];
  const Tensor smooth = torch::autograd::grad({value(image)}, {image})[0];
  at::NoGradGuard no_grad;
  EXPECT_TRUE(at::allclose(gradient, smooth, 1e-4, 1e-4)) << "rounding is straight-through";
  Random random(3);
  for (int i = 0; i < 5; ++i) {
    const Tensor direction = random.normal_tensor({1, 3, 16, 24}) / 100;
    const double slope = (value(image + direction) - value(image - direction)).item<double>() / 2;
    EXPECT_NEAR(slope, (gradient * direction).sum().item<double>(), 2e-3 * (1 + std::abs(slope)));
  }
}

TEST(Jpeg, LowerQualityChangesMore) {
  const Tensor image = picture(64, 64);
  Random random(0);
  double last = 1e9;
  for (const int64_t quality : {5, 50, 95}) {
    const Tensor after = Jpeg({.quality = quality}).apply(image, random);
    EXPECT_TRUE(on_lattice(after));
    const double change = (after - image).abs().mean().item<double>();
    EXPECT_LT(change, last);
    last = change;
  }
}

}  // namespace
}  // namespace hijack::jpeg_test
