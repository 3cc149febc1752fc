// Photos that are another picture once they are resized.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/scaling/scaling.h"
#include "defenses/image/opencv_filters.h"
#include "defenses/image/opencv_resize.h"
#include "models/preprocess/resampler.h"
#include "models/preprocess/resizer.h"
#include "src/base/image.h"
#include "tests/support/program.h"

namespace hijack::scaling_test {
namespace {

const Tensor& photo() {
  static const Tensor image = load_image(support::kPhoto);
  return image;
}

/// Another shipped photo at 64 x 64.
const Tensor& other_picture() {
  static const Tensor image =
      resize_image(load_image(support::kRoot + "/samples/images/astronaut.png"), 64, 64, Filter::kLanczos);
  return image;
}

ScalingResult attack(ScalingConfig config) {
  config.target_size = "64";
  const auto read = [&](const Tensor& image) { return resize_as(config.filter, image, 64, 64); };
  return *scaling_attack(photo(), other_picture(), read, config);
}

double mean_255(const Tensor& a, const Tensor& b) {
  return 255 * (a - b).abs().mean().item<double>();
}

TEST(Scaling, WithoutAntialiasingThePhotoIsReadAsAnother) {
  if (!have_opencv()) GTEST_SKIP() << "this build has no OpenCV";
  for (const char* filter : {"nearest", "bilinear", "bicubic"}) {
    const ScalingResult found = attack({.filter = filter});
    EXPECT_TRUE(on_lattice(found.image)) << filter;
    const Tensor seen = opencv_resize(filter, found.image, 64, 64);
    EXPECT_LT(mean_255(seen, other_picture()), 1) << filter << ", read by OpenCV itself";
    EXPECT_GT(mean_255(opencv_resize(filter, photo(), 64, 64), other_picture()), 30) << "the photo is not it";
    // one pixel of about 33 is changed by nearest, four by bilinear, sixteen by bicubic
    EXPECT_LT(mean_255(found.image, photo()), filter == std::string("bicubic") ? 25 : 12) << filter;
    const Tensor antialiased = resize_as("pillow-box", found.image, 64, 64);
    EXPECT_LT(mean_255(antialiased, resize_as("pillow-box", photo(), 64, 64)),
              mean_255(antialiased, other_picture()))
        << filter << ": who averages still sees the photo";
  }
}

TEST(Scaling, AntialiasedReadersNeedThePhotoToChangeEverywhere) {
  const ScalingResult plain = attack({.filter = "bilinear"}),
                      averaged = attack({.filter = "pillow-bilinear"});
  EXPECT_LT(mean_255(resize_as("pillow-bilinear", averaged.image, 64, 64), other_picture()), 8);
  EXPECT_GT(mean_255(averaged.image, photo()), 3 * mean_255(plain.image, photo()));
}

TEST(Scaling, KeepsToItsRadiusAndSaysHowFarItGot) {
  const ScalingResult bounded = attack({.filter = "bilinear", .epsilon = "8/255"});
  EXPECT_LE(255 * (bounded.image - photo()).abs().max().item<double>(), 8.001);
  const Tensor before = resize_as("bilinear", photo(), 64, 64),
               after = resize_as("bilinear", bounded.image, 64, 64);
  EXPECT_LT(mean_255(after, other_picture()), mean_255(before, other_picture()));
  EXPECT_GT(bounded.errors.back(), 20) << "8/255 are not enough, and the errors say so";
}

TEST(Scaling, ToleranceLeavesThePhotoCloserToItself) {
  const ScalingResult exact = attack({.filter = "bilinear"}),
                      loose = attack({.filter = "bilinear", .tolerance = 16});
  EXPECT_LT((loose.image - photo()).norm().item<double>(),
            .95 * (exact.image - photo()).norm().item<double>());
  const Tensor error = 255 * (resize_as("bilinear", loose.image, 64, 64) - other_picture()).abs();
  EXPECT_LE(at::quantile(error.flatten().narrow(0, 0, 12288), .99).item<double>(), 17.5);
}

/// Nearest has a closed form: the pixels that are read, and no others, are the picture's.
TEST(Scaling, NearestChangesTheReadPixelsAlone) {
  const ScalingResult found = attack({.filter = "nearest"});
  Tensor expected = photo().clone();
  for (int64_t y = 0; y < 64; ++y)
    for (int64_t x = 0; x < 64; ++x)
      expected.select(2, y * photo().size(2) / 64)
          .select(2, x * photo().size(3) / 64)
          .copy_(other_picture().select(2, y).select(2, x));
  EXPECT_LE(255 * (found.image - expected).abs().max().item<double>(), 1.001);
  EXPECT_LT(found.best_step, 6) << "the curvature is known after the probe";
}

TEST(Scaling, WhatIsReadAlreadyNeedsNoStep) {
  ScalingConfig config{.target_size = "64", .filter = "area"};
  const auto read = [&](const Tensor& image) { return resize_as(config.filter, image, 64, 64); };
  const auto result = scaling_attack(photo(), read(photo()), read, config);
  EXPECT_TRUE(at::equal(result->image, photo()));
}

TEST(Scaling, ANormalizedReaderIsReadInPixels) {
  ScalingConfig config{.filter = "bilinear"};
  const auto read = [&](const Tensor& image) { return (resize_as("bilinear", image, 64, 64) - .48) / .27; };
  const auto result = scaling_attack(
      photo(), read(other_picture().clone()),
      [&](const Tensor& image) {
        return image.size(2) == 64 ? read(image) : (resize_as("bilinear", image, 64, 64) - .48) / .27;
      },
      config);
  EXPECT_LT(mean_255(resize_as("bilinear", result->image, 64, 64), other_picture()), 1);
  EXPECT_LT(result->errors.back(), 1) << "in 1/255, whatever the reader's scale";
}

TEST(Scaling, TheControlIsTheSameChangeElsewhere) {
  const ScalingResult found = attack({.filter = "nearest"});
  const Tensor control = shuffled_change(found.image, photo(), 3);
  EXPECT_TRUE(at::equal(control, shuffled_change(found.image, photo(), 3)));
  EXPECT_FALSE(at::equal(control, shuffled_change(found.image, photo(), 4)));
  EXPECT_GT(mean_255(resize_as("nearest", control, 64, 64), other_picture()), 20);
  EXPECT_NEAR(mean_255(control, photo()), mean_255(found.image, photo()),
              .4 * mean_255(found.image, photo()));
}

TEST(Scaling, RefusesWhatMakesNoSense) {
  for (const ScalingConfig& bad : {ScalingConfig{.filter = "bilinar"},
                                   {.target_size = "big"},
                                   {.epsilon = "8"},
                                   {.tolerance = -1},
                                   {.steps = 0}})
    EXPECT_THROW(check_scaling(bad), Error);
}

}  // namespace
}  // namespace hijack::scaling_test
