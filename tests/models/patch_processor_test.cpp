// Qwen2-VL's sizes, patches and positions; the pixel values themselves are compared in the golden test.
#include "models/preprocess/patch_processor.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/families/qwen_vl.h"
#include "tests/support/temporary_folder.h"

namespace hijack::patch_processor_test {
namespace {

using hijack::support::error_of;
using nlohmann::json;

PatchProcessor processor_of(const json& config) {
  return PatchProcessor::from_json(config, "preprocessor_config.json");
}

TEST(PatchProcessor, SizesAreThoseOfSmartResize) {
  // height, width, and what Python's smart_resize makes of them with the class defaults
  const int64_t expected[][4] = {{37, 61, 56, 84},        {448, 448, 448, 448},  {1080, 1920, 728, 1316},
                                 {3000, 4000, 840, 1148}, {70, 98, 56, 112},     {42, 1000, 56, 1008},
                                 {1, 150, 28, 700},       {10000, 51, 9996, 56}, {5, 5, 56, 56},
                                 {14, 100, 28, 168}};
  for (const auto& row : expected) {
    const auto size = PatchProcessor().resized_size(row[0], row[1]);
    EXPECT_EQ(size.height, row[2]) << row[0] << "x" << row[1];
    EXPECT_EQ(size.width, row[3]) << row[0] << "x" << row[1];
  }
  EXPECT_NE(error_of([] { PatchProcessor().resized_size(10, 2010); }).find("long and thin"),
            std::string::npos);
}

TEST(PatchProcessor, BothSpellingsOfTheRange) {
  const auto older = processor_of({{"min_pixels", 784}, {"max_pixels", 1568}});
  const auto newer = processor_of({{"size", {{"shortest_edge", 784}, {"longest_edge", 1568}}}});
  for (const auto& one : {older, newer}) {
    EXPECT_EQ(one.min_pixels, 784);
    EXPECT_EQ(one.max_pixels, 1568);
  }
  EXPECT_EQ(processor_of(json::object()).max_pixels, 28 * 28 * 1280);
}

TEST(PatchProcessor, WhatIsRefusedIsNamed) {
  const auto why_not = [](const json& config) { return error_of([&] { processor_of(config); }); };
  EXPECT_NE(why_not({{"size", {{"shortest_edge", 784}}}}).find("longest_edge"), std::string::npos);
  EXPECT_NE(why_not({{"size", {{"height", 784}, {"width", 3}}}}).find("height"), std::string::npos);
  EXPECT_NE(why_not({{"patch_size", 0}}).find("patch_size"), std::string::npos);
  EXPECT_NE(why_not({{"merge_size", "two"}}).find("merge_size"), std::string::npos);
  EXPECT_NE(why_not({{"frames", 3}}).find("frames"), std::string::npos);
  EXPECT_NE(why_not({{"image_processor_type", "CLIPImageProcessor"}}).find("CLIPImageProcessor"),
            std::string::npos);
}

TEST(PatchProcessor, PatchesThatWillBeMergedAreNeighbors) {
  PatchProcessor processor;
  processor.patch = 1;
  const Tensor image = at::arange(16, at::kFloat).reshape({1, 1, 4, 4}).expand({1, 3, 4, 4});
  const Tensor patches = processor.patches(image);  // [16, 3*2]
  EXPECT_EQ(patches.sizes(), (at::IntArrayRef{16, 6}));
  const std::vector<float> order{0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15};
  EXPECT_TRUE(at::equal(patches.select(1, 0), at::tensor(order)));
  EXPECT_TRUE(at::equal(patches.select(1, 0), patches.select(1, 5)));
}

TEST(MropePositions, TextGoesOnAfterTheLongerSide) {
  const Tensor positions = mrope_positions(/*tokens=*/10, /*image=*/2, /*rows=*/2, /*columns=*/3);
  EXPECT_TRUE(at::equal(positions, at::tensor({0, 1, 2, 2, 2, 2, 2, 2, 5, 6,  //
                                               0, 1, 2, 2, 2, 3, 3, 3, 5, 6,  //
                                               0, 1, 2, 3, 4, 2, 3, 4, 5, 6},
                                              at::kLong)
                                       .reshape({3, 10})));
}

}  // namespace
}  // namespace hijack::patch_processor_test
