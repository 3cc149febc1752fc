// Resizing by name: OpenCV's filters against OpenCV itself, Pillow's against the exact resampler.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "defenses/image/opencv_filters.h"
#include "defenses/image/opencv_resize.h"
#include "models/preprocess/resampler.h"
#include "models/preprocess/resizer.h"
#include "src/base/image.h"
#include "tests/support/program.h"

namespace hijack::resizer_test {
namespace {

TEST(Resizer, IsWithinALevelOfOpenCv) {
  if (!have_opencv()) GTEST_SKIP() << "this build has no OpenCV";
  const Tensor photo = load_image(support::kPhoto);
  for (const char* filter : {"nearest", "bilinear", "bicubic", "area"})
    for (const Size2d size :
         {Size2d{64, 64}, {photo.size(2) / 2, photo.size(3) / 2}, {97, 200}, {400, 500}}) {
      const Tensor ours = resize_as(filter, photo, size.height, size.width);
      const Tensor theirs = opencv_resize(filter, photo, size.height, size.width);
      const double most = 255 * (ours - theirs).abs().max().item<double>();
      EXPECT_LE(most, 1.001) << filter << " " << size_text(size);
      if (filter == std::string("nearest")) {
        EXPECT_EQ(most, 0) << size_text(size);
      }
    }
  // a different filter is far from it: the comparison can fail
  EXPECT_GT((resize_as("bilinear", photo, 64, 64) - opencv_resize("area", photo, 64, 64))
                .abs()
                .max()
                .item<double>(),
            .05);
}

TEST(Resizer, PillowsAreTheResampler) {
  const Tensor photo = load_image(support::kPhoto);
  EXPECT_TRUE(
      at::equal(resize_as("pillow-bicubic", photo, 50, 70), resize_image(photo, 50, 70, Filter::kBicubic)));
  EXPECT_TRUE(at::equal(resize_as("pillow-box", photo, 50, 70), resize_image(photo, 50, 70, Filter::kBox)));
  const Tensor row = at::arange(6, at::kFloat).view({1, 1, 1, 6}).expand({1, 3, 1, 6}) * 10 / 255;
  // PIL.Image.fromarray(row).resize((2, 1), NEAREST) takes pixels 1 and 4, cv2.resize 0 and 3
  EXPECT_NEAR(255 * resize_as("pillow-nearest", row, 1, 2)[0][0][0][0].item<double>(), 10, 1e-3);
  EXPECT_NEAR(255 * resize_as("nearest", row, 1, 2)[0][0][0][1].item<double>(), 30, 1e-3);
  for (const std::string& name : resizer_names()) {
    const Tensor small = resize_as(name, photo, 33, 21);
    EXPECT_TRUE(on_lattice(quantize(small)) && (small - quantize(small)).abs().max().item<double>() < 1e-6)
        << name;
    EXPECT_TRUE(at::equal(resize_as(name, photo, photo.size(2), photo.size(3)), photo)) << name;
  }
}

TEST(Resizer, SizesAreReadStrictly) {
  EXPECT_EQ(parse_size("512").width, 512);
  EXPECT_EQ(parse_size("640x480").height, 480);
  EXPECT_EQ(size_text(parse_size("640x480")), "640x480");
  for (const char* bad : {"", "x", "0", "-3", "5x", "x5", "5000", "12x99999", "1e3", "3 x 4", "12x13x14"})
    EXPECT_THROW(parse_size(bad), Error) << bad;
  EXPECT_THROW(resize_as("bilinar", at::zeros({1, 3, 4, 4}), 2, 2), Error);
}

}  // namespace
}  // namespace hijack::resizer_test
