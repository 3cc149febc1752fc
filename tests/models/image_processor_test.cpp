#include "models/preprocess/image_processor.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "src/base/error.h"
#include "src/base/file.h"
#include "src/base/image.h"
#include "tests/support/golden_picture.h"

namespace hijack::image_processor_test {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

ImageProcessor read(const char* text) {
  return ImageProcessor::from_json(json::parse(text), "here");
}

std::string why_not(const char* text) {
  try {
    read(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "read";
}

TEST(ImageProcessor, OldAndNewWaysToWriteASize) {
  for (
      const char* text :
      {R"({"size":336,"crop_size":336})",
       R"({"size":{"shortest_edge":336},"crop_size":{"height":336,"width":336}})",
       R"({"feature_extractor_type":"CLIPFeatureExtractor","size":336,"crop_size":[336,336],"do_pad":false})",
       R"({"image_processor_type":"CLIPImageProcessorFast","size":336,"crop_size":336,"pad_size":null})"}) {
    const ImageProcessor processor = read(text);
    EXPECT_EQ(processor.shortest_edge, 336) << text;
    EXPECT_EQ(processor.output_height(), 336);
    EXPECT_EQ(processor.output_width(), 336);
    EXPECT_EQ(processor.filter, Filter::kBicubic);
    EXPECT_DOUBLE_EQ(processor.mean[0], 0.48145466);
  }
  const ImageProcessor siglip = read(
      R"({"image_processor_type":"SiglipImageProcessor","size":{"height":384,"width":380},"resample":1})");
  EXPECT_EQ(siglip.shortest_edge, 0);
  EXPECT_EQ(siglip.output_height(), 384);
  EXPECT_EQ(siglip.output_width(), 380);
  EXPECT_FALSE(siglip.do_center_crop);
  EXPECT_EQ(siglip.filter, Filter::kLanczos);
  EXPECT_DOUBLE_EQ(siglip.std[2], 0.5);
}

TEST(ImageProcessor, DefaultsOfTheClasses) {
  EXPECT_EQ(read("{}").shortest_edge, 224);
  EXPECT_EQ(read("{}").crop_width, 224);
  EXPECT_EQ(read(R"({"image_processor_type":"SiglipImageProcessor"})").resize_height, 224);
  EXPECT_TRUE(read(R"({"image_processor_type":"LlavaImageProcessor","do_pad":true})").pad_to_square);
  const ImageProcessor raw = read(R"({"do_normalize":false})");
  EXPECT_EQ(raw.mean[0], 0);
  EXPECT_EQ(raw.std[0], 1);
}

TEST(ImageProcessor, NullSwitchesAreOff) {
  const ImageProcessor processor =
      read(R"({"do_normalize":null,"do_center_crop":null,"do_convert_rgb":null,"size":[8,9]})");
  EXPECT_EQ(processor.std[0], 1);
  EXPECT_FALSE(processor.do_center_crop);
}

TEST(ImageProcessor, RefusesByNameWhatItDoesNotImplement) {
  const std::pair<const char*, const char*> cases[] = {
      {R"([])", "not a JSON object"},
      {R"({"image_processor_type":"ViTImageProcessor"})", "ViTImageProcessor"},
      {R"({"image_processor_type":3})", "image_processor_type"},
      {R"({"do_rescale":false})", "do_rescale"},
      {R"({"rescale_factor":1})", "rescale_factor"},
      {R"({"resample":0})", "resample 0"},
      {R"({"resample":5})", "resample 5"},
      {R"({"resample":"bicubic"})", "resample"},
      {R"({"do_resize":1})", "do_resize"},
      {R"({"size":{"longest_edge":336}})", "longest_edge"},
      {R"({"size":{"shortest_edge":336,"longest_edge":500}})", "longest_edge"},
      {R"({"size":0})", "size"},
      {R"({"size":-5})", "size"},
      {R"({"size":1e3})", "size"},
      {R"({"size":100000})", "size"},
      {R"({"size":18446744073709551615})", "size"},
      {R"({"size":"big"})", "size"},
      {R"({"crop_size":{"height":3}})", "crop_size"},
      {R"({"image_mean":[1,2]})", "image_mean"},
      {R"({"image_mean":[1,2,3]})", "image_mean"},
      {R"({"image_std":0})", "image_std"},
      {R"({"image_std":[0.5,"a",0.5]})", "image_std"},
      {R"({"do_pad":true})", "do_pad"},
      {R"({"do_center_crop":false})", "changing size"},
      {R"({"image_processor_type":"SiglipImageProcessor","do_resize":false})", "changing size"},
      {R"({"do_image_splitting":true})", "do_image_splitting"},
  };
  for (const auto& [text, part] : cases)
    EXPECT_NE(why_not(text).find(part), std::string::npos) << text << ": " << why_not(text);
}

TEST(ImageProcessor, ReadsEitherFileOfAFolder) {
  const fs::path folder = fs::path(testing::TempDir()) / ("hijack_processor_" + std::to_string(::getpid()));
  fs::create_directories(folder);
  EXPECT_THROW(ImageProcessor::from_folder(folder), Error);
  write_file(folder / "processor_config.json", R"({"processor_class":"LlavaProcessor"})");
  EXPECT_THROW(ImageProcessor::from_folder(folder), Error);
  write_file(folder / "preprocessor_config.json", R"({"size":30})");
  EXPECT_EQ(ImageProcessor::from_folder(folder).shortest_edge, 30);
  write_file(folder / "processor_config.json",
             R"({"image_processor":{"size":40},"video_processor":{"size":50}})");
  EXPECT_EQ(ImageProcessor::from_folder(folder).shortest_edge, 40);
  write_file(folder / "processor_config.json", R"({"image_processor":{"size":40,)");
  EXPECT_THROW(ImageProcessor::from_folder(folder), Error);
  fs::remove_all(folder);
}

TEST(ImageProcessor, GradientReachesEveryPixelThatIsSeen) {
  const ImageProcessor crop = read(R"({"size":8,"crop_size":8})");
  const Tensor image = at::full({1, 3, 16, 32}, 0.5).set_requires_grad(true);
  crop.normalize(crop.geometry(image)).sum().backward();
  const Tensor seen = image.grad()[0][0].abs().sum(0) > 0;  // by column
  EXPECT_TRUE(seen[16].item<bool>());
  EXPECT_FALSE(seen[0].item<bool>());
  EXPECT_FALSE(seen[31].item<bool>());
  const ImageProcessor pad =
      read(R"({"image_processor_type":"LlavaImageProcessor","size":8,"crop_size":8,"do_pad":true})");
  const Tensor wide = at::full({1, 3, 4, 32}, 0.5).set_requires_grad(true);
  pad.geometry(wide).sum().backward();
  EXPECT_TRUE(wide.grad().abs().gt(0).all().item<bool>());
}

TEST(ImageProcessor, AtItsOwnSizeTheImageIsUntouched) {
  const ImageProcessor processor = read(R"({"size":8,"crop_size":8})");
  const Tensor image = at::rand({1, 3, 8, 8});
  EXPECT_TRUE(at::equal(processor.geometry(image), image));
}

TEST(ImageProcessor, AbsurdProportionsAreRefused) {
  const ImageProcessor processor = read(R"({"size":16384,"crop_size":8})");
  EXPECT_THROW(processor.geometry(at::zeros({1, 3, 1, 16384})), Error);
}

}  // namespace
}  // namespace hijack::image_processor_test
