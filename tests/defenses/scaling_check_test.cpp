// Photos that are another picture once they are resized, and photos that are not.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "attacks/scaling/scaling.h"
#include "defenses/detectors/scaling_check.h"
#include "defenses/image/resize.h"
#include "defenses/make_defense.h"
#include "models/preprocess/resampler.h"
#include "models/preprocess/resizer.h"
#include "src/base/image.h"
#include "src/base/random.h"
#include "tests/support/program.h"

namespace hijack::scaling_check_test {
namespace {

Tensor shipped(const std::string& name) {
  return load_image(support::kRoot + "/samples/images/" + name + ".png");
}

Reply only_reply(const Defense& defense, const Tensor& image) {
  const Responder model = [](const std::vector<Submission>& all) {
    return std::vector<Reply>(all.size(), Reply{"yes"});
  };
  return defense.answer({{.image = image, .query = {.prompt = "what is it"}}}, model).at(0);
}

/// Windows of a photograph at the size of the ones that are judged.
DefenseResources benign_windows() {
  DefenseResources resources{.false_positive_rate = .05};
  const Tensor photo = shipped("astronaut");
  for (uint64_t i = 0; i < 24; ++i) {
    Random random(i);
    const int64_t side = random.between(photo.size(2) / 2, photo.size(2));
    const Tensor window = photo.narrow(2, random.between(0, photo.size(2) - side), side)
                              .narrow(3, random.between(0, photo.size(3) - side), side);
    resources.benign.push_back(
        {.image = resize_image(window, 300, 451, Filter::kBicubic), .query = {.prompt = "x"}});
  }
  return resources;
}

TEST(ScalingCheck, FiresOnScalingPicturesAndNotOnPhotos) {
  const Tensor photo = shipped("chelsea");
  const Tensor wanted = resize_image(shipped("astronaut"), 64, 64, Filter::kLanczos);
  for (const char* filter : {"nearest", "bilinear", "bicubic"}) {
    const auto read = [&](const Tensor& image) { return resize_as(filter, image, 64, 64); };
    const ScalingResult found = *scaling_attack(photo, wanted, read, {.filter = filter});
    for (const char* measure : {"mse", "ssim"}) {
      const auto defense = make_defense(
          parse_defense(std::string("scaling_check:size=64,filter=") + filter + ",measure=" + measure),
          benign_windows());
      EXPECT_TRUE(only_reply(*defense, found.image).rejected) << filter << measure;
      EXPECT_FALSE(only_reply(*defense, photo).rejected) << filter << measure;
      EXPECT_FALSE(only_reply(*defense, benign_windows().benign[3].image).rejected) << filter << measure;
    }
  }
}

TEST(ScalingCheck, IsItsFormula) {
  const ScalingCheck check({.filter = "area", .size = "10", .limit = {.threshold = 1}}, {});
  const Tensor image = quantize(Random(1).uniform_tensor({1, 3, 20, 20}, 0, 1));
  const Tensor back = resize_as("area", resize_as("area", image, 10, 10), 20, 20);
  EXPECT_NEAR(check.image_score(image).item<double>(), (255 * (image - back)).square().mean().item<double>(),
              1e-2);
  const Tensor flat = at::full({1, 3, 20, 20}, 51.f / 255);
  EXPECT_NEAR(check.image_score(flat).item<double>(), 0, 1e-6);
  // an image that is not larger is halved
  const Tensor small = image.narrow(2, 0, 8).narrow(3, 0, 8);
  EXPECT_GT(check.image_score(small).item<double>(), 0);
  EXPECT_THROW(ScalingCheck({.limit = {.threshold = 1}}, {}), Error) << "neither model nor size";
}

TEST(ResizeDefense, ComesBackOrStaysAtItsSize) {
  Random random(0);
  const Tensor image = quantize(Random(1).uniform_tensor({1, 3, 20, 30}, 0, 1));
  EXPECT_EQ(ResizeDefense({.scale = .5}).apply(image, random).sizes(), image.sizes());
  EXPECT_EQ(ResizeDefense({.scale = .5, .back = false}).apply(image, random).sizes(),
            (at::IntArrayRef{1, 3, 10, 15}));
  const ResizeDefense sized({.size = "7x5", .filter = "area", .back = false});
  EXPECT_TRUE(at::equal(sized.apply(image, random), quantize(resize_as("area", image, 5, 7))));
  EXPECT_EQ(sized.name(), "resize:scale=0.5,size=7x5,filter=area,back=false");
  EXPECT_THROW(parse_defense("resize:filter=cubic"), Error);
  EXPECT_THROW(parse_defense("resize:scale=9"), Error);
}

}  // namespace
}  // namespace hijack::scaling_check_test
