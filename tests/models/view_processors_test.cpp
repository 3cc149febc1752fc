// Sizes and refusals of the processors that cut a photo into views; their pixels are compared with
// transformers in view_families_golden_test.cpp.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "models/families/llava_next.h"
#include "models/families/llava_onevision.h"
#include "models/network/vision_tower.h"
#include "models/preprocess/anyres_processor.h"
#include "models/preprocess/got_ocr2_processor.h"
#include "models/preprocess/tile_processor.h"
#include "src/base/error.h"
#include "src/base/image.h"
#include "tests/support/expect_says.h"
#include "tests/support/finite_difference.h"
#include "tests/support/temporary_folder.h"

namespace hijack::view_processors_test {
namespace {

using nlohmann::json;
using Size = AnyresProcessor::Size;

template <class Processor>
std::string why_not(const char* text) {
  try {
    if constexpr (std::is_same_v<Processor, AnyresProcessor>)
      Processor::from_json(json::parse(text), "here", kLlavaOnevisionProcessor);
    else
      Processor::from_json(json::parse(text), "here");
  } catch (const Error& error) {
    return error.what();
  }
  return "read";
}

std::pair<int64_t, int64_t> tiles(const TileProcessor& processor, int64_t height, int64_t width) {
  const auto grid = processor.grid(height, width);
  return {grid.rows, grid.columns};
}

TEST(TileProcessor, GridsOfRealSizes) {
  using Pair = std::pair<int64_t, int64_t>;
  TileProcessor processor = TileProcessor::from_json(
      json::parse(R"({"size":{"longest_edge":2048},"max_image_size":{"longest_edge":512}})"), "here");
  EXPECT_EQ(tiles(processor, 1000, 1500), Pair(3, 4));
  EXPECT_EQ(tiles(processor, 1500, 1000), Pair(4, 3));
  EXPECT_EQ(tiles(processor, 512, 512), Pair(4, 4));
  EXPECT_EQ(tiles(processor, 10, 3000), Pair(1, 4));
  processor.longest_edge = 512;
  EXPECT_EQ(tiles(processor, 480, 640), Pair(0, 0));
  EXPECT_EQ(tiles(processor, 3000, 10), Pair(0, 0));
  processor.longest_edge = 100000;  // no further than 4096
  EXPECT_EQ(tiles(processor, 512, 512), Pair(8, 8));
  processor.split = false;
  EXPECT_EQ(tiles(processor, 512, 512), Pair(0, 0));
}

TEST(TileProcessor, OddEdgesGrowBeyondTheTile) {
  // 75 x 75 becomes 76 x 75, as in transformers: four tiles
  const auto processor = TileProcessor::from_json(
      json::parse(R"({"size":{"longest_edge":75},"max_image_size":{"longest_edge":75}})"), "here");
  EXPECT_EQ(processor.grid(40, 40).views(), 5);
  EXPECT_EQ(processor.grid(40, 50).views(), 1);
}

TEST(TileProcessor, ViewsAreTheTilesAndTheWhole) {
  TileProcessor processor;
  processor.longest_edge = 48;
  processor.tile = 24;
  const Tensor photo =
      from_bytes(at::arange(3 * 30 * 40).remainder(256).to(at::kByte).reshape({1, 3, 30, 40}));
  const Tensor cut = processor.resized(photo);
  ASSERT_EQ(cut.sizes(), at::IntArrayRef({1, 3, 48, 48}));
  EXPECT_TRUE(at::equal(processor.resized(cut), cut));
  const Tensor views = processor.views(cut);
  ASSERT_EQ(views.size(0), 5);
  EXPECT_TRUE(at::equal(views[1], cut[0].narrow(1, 0, 24).narrow(2, 24, 24)));
  EXPECT_TRUE(at::equal(views.narrow(0, 4, 1), resize_image(cut, 24, 24, Filter::kLanczos)));
}

TEST(TileProcessor, RefusesByNameWhatItDoesNotImplement) {
  EXPECT_SAYS(why_not<TileProcessor>(R"({"size":{"shortest_edge":9}})"), "size");
  EXPECT_SAYS(why_not<TileProcessor>(R"({"max_image_size":364})"), "max_image_size");
  EXPECT_SAYS(why_not<TileProcessor>(R"({"max_image_size":{"longest_edge":0}})"), "max_image_size");
  EXPECT_SAYS(why_not<TileProcessor>(R"({"crop_size":3})"), "crop_size");
  EXPECT_SAYS(why_not<TileProcessor>(R"({"image_processor_type":"CLIPImageProcessor"})"),
              "CLIPImageProcessor");
  EXPECT_SAYS(why_not<TileProcessor>(R"({"do_rescale":false})"), "do_rescale");
  TileProcessor processor;
  processor.longest_edge = 0;
  processor.resize_height = 1;
  processor.resize_width = 16000;
  processor.tile = 1;
  EXPECT_THROW(processor.grid(5, 5), Error);
}

TEST(AnyresProcessor, ChoosesAndFits) {
  const auto processor = AnyresProcessor::from_json(json::parse("{}"), "here", kLlavaOnevisionProcessor);
  EXPECT_EQ(processor.resolutions.size(), 36u);
  EXPECT_EQ(processor.best_resolution({384, 384}), (Size{384, 384}));
  EXPECT_EQ(processor.fitted({384, 384}), (Size{384, 384}));
  EXPECT_EQ(processor.best_resolution({480, 640}), (Size{768, 768}));
  EXPECT_EQ(processor.fitted({480, 640}), (Size{576, 768}));
  EXPECT_EQ(processor.fitted({100, 3000}), (Size{77, 2304}));
  EXPECT_EQ(processor.fitted({1, 16000}), (Size{1, 384}));
}

TEST(AnyresProcessor, ViewsAreTheWholeAndTheTilesBetweenBars) {
  AnyresProcessor processor;
  processor.tile = 10;
  processor.resolutions = {{10, 20}};
  processor.mean = {0, 0, 0};
  processor.std = {1, 1, 1};
  const Tensor views = processor.views(at::ones({1, 3, 10, 13}));
  ASSERT_EQ(views.sizes(), at::IntArrayRef({3, 3, 10, 10}));
  EXPECT_EQ(views[0].min().item<float>(), 1);
  EXPECT_EQ(views[1].narrow(2, 0, 3).max().item<float>(), 0);  // 7 bars: 3 before, 4 after
  EXPECT_EQ(views[1].narrow(2, 3, 7).min().item<float>(), 1);
  EXPECT_EQ(views[2].narrow(2, 0, 6).min().item<float>(), 1);
  EXPECT_EQ(views[2].narrow(2, 6, 4).max().item<float>(), 0);
}

TEST(AnyresProcessor, OneViewIsThePhotoInASquareOfTheMeanColor) {
  AnyresProcessor processor;
  processor.tile = 8;
  processor.one_view = true;
  processor.mean = {0.5, 0.25, 0};
  EXPECT_EQ(processor.fitted({4, 8}), (Size{8, 8}));
  const Tensor view = processor.views(at::ones({1, 3, 4, 8}));
  ASSERT_EQ(view.sizes(), at::IntArrayRef({1, 3, 8, 8}));
  EXPECT_EQ(view.narrow(2, 2, 4).min().item<float>(), 1);
  for (const int64_t bar : {0, 1, 6, 7}) {
    EXPECT_EQ(view[0][0][bar][3].item<float>(), 127.0F / 255);
    EXPECT_EQ(view[0][1][bar][3].item<float>(), 63.0F / 255);
    EXPECT_EQ(view[0][2][bar][3].item<float>(), 0);
  }
}

TEST(AnyresProcessor, RefusesByNameWhatItDoesNotImplement) {
  EXPECT_SAYS(why_not<AnyresProcessor>(R"({"image_grid_pinpoints":[[384,400]]})"), "multiples");
  EXPECT_SAYS(why_not<AnyresProcessor>(R"({"image_grid_pinpoints":[]})"), "image_grid_pinpoints");
  EXPECT_SAYS(why_not<AnyresProcessor>(R"({"image_grid_pinpoints":[[384]]})"), "image_grid_pinpoints");
  EXPECT_SAYS(why_not<AnyresProcessor>(R"({"image_grid_pinpoints":[[384,-384]]})"), "multiples");
  EXPECT_SAYS(why_not<AnyresProcessor>(R"({"size":{"height":1,"width":1},"image_grid_pinpoints":[[99,99]]})"),
              "too many");
  EXPECT_SAYS(why_not<AnyresProcessor>(R"({"size":{"height":384,"width":380}})"), "square");
  EXPECT_SAYS(why_not<AnyresProcessor>(R"({"size":100})"), "image_grid_pinpoints");
  EXPECT_SAYS(why_not<AnyresProcessor>(R"({"crop_size":100})"), "crop_size");
}

TEST(AnyresProcessor, DefaultsOfLlavaNext) {
  const auto processor_of = [](const char* text) {
    return AnyresProcessor::from_json(json::parse(text), "here", kLlavaNextProcessor);
  };
  const auto processor = processor_of(R"({"size":{"shortest_edge":336},"crop_size":336})");
  EXPECT_EQ(processor.resolutions.size(), 5u);
  EXPECT_EQ(processor.best_resolution({480, 640}), (Size{672, 672}));
  EXPECT_EQ(processor.fitted({480, 640}), (Size{504, 672}));
  EXPECT_EQ(processor.fitted({100, 3000}), (Size{34, 1008}));
  // the class crops views to 224 where the file does not say
  EXPECT_SAYS(support::error_of([&] { processor_of(R"({"size":{"shortest_edge":336}})"); }),
              "a crop_size of 224 beside a size of 336");
  EXPECT_EQ(processor_of(R"({"size":{"shortest_edge":336},"crop_size":null})").tile, 336);
  EXPECT_SAYS(support::error_of([&] { processor_of("{}"); }), "multiples of the view's 224");
}

TEST(LlavaNext, LayoutsOfRealSizes) {
  const auto config = llava_next_config(json::parse("{}"));
  EXPECT_EQ(config.patches_per_side(), 24);
  const auto tokens = [&](int64_t height, int64_t width) {
    const auto scaled = config.layout({height, width}).scaled;
    return config.llava.image_tokens() + scaled.height * (scaled.width + 1);
  };
  EXPECT_EQ(tokens(336, 336), 1176);
  EXPECT_EQ(tokens(448, 448), 2928);
  EXPECT_EQ(tokens(480, 640), 2340);
  EXPECT_EQ(tokens(768, 1024), 2340);
}

TEST(LlavaNext, GradientsOfFeaturesAreDifferences) {
  const auto config = llava_next_config(json::parse(R"({
      "vision_config": {"image_size": 12, "patch_size": 4, "hidden_size": 8, "intermediate_size": 12,
                        "num_hidden_layers": 2, "num_attention_heads": 2},
      "text_config": {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
                      "vocab_size": 10},
      "vision_feature_layer": [-1, 1], "image_grid_pinpoints": [[12, 24], [24, 24]]})"));
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(7);
  const AnyresNetwork network(config, [&](const std::string&, at::IntArrayRef shape) {
    return at::randn(shape, generator, at::kDouble) * 0.4;
  });
  for (const Size& image :
       {Size{20, 23}, Size{23, 15}, Size{6, 30}}) {  // bars above, at the sides, in two tiles
    const Size best = select_resolution(config.resolutions, image);
    const int64_t views = 1 + best.height / 12 * (best.width / 12);
    const Tensor pixels = at::randn({views, 3, 12, 12}, generator, at::kDouble);
    const auto features = [&](const Tensor& x) { return network.image_features(x, image).sin().sum(); };
    EXPECT_LT(worst_gradient_error(features, pixels), 1e-6);
  }
}

TEST(GotOcr2Processor, GridsOfRealSizes) {
  const auto processor =
      GotOcr2Processor::from_json(json::parse(R"({"size":{"height":448,"width":448}})"), "here");
  const auto tiles = [&](int64_t height, int64_t width) {
    const auto grid = processor.grid(height, width);
    return std::pair(grid.rows, grid.columns);
  };
  using Pair = std::pair<int64_t, int64_t>;
  EXPECT_EQ(tiles(448, 448), Pair(1, 1));
  EXPECT_EQ(tiles(1000, 1000), Pair(3, 3));  // more than half of 9 tiles
  EXPECT_EQ(tiles(480, 640), Pair(3, 4));
  EXPECT_EQ(tiles(10, 3000), Pair(1, 12));
  EXPECT_EQ(processor.grid(480, 640).views(), 13);
  EXPECT_EQ(processor.grid(448, 448).views(), 1);
  for (int64_t rows = 1; rows <= 12; ++rows)  // the input space is a fixed point
    for (int64_t columns = 1; rows * columns <= 12; ++columns)
      EXPECT_EQ(tiles(448 * rows, 448 * columns), Pair(rows, columns));
}

TEST(GotOcr2Processor, TheWholeIsMadeOfThePhotoItself) {
  GotOcr2Processor processor;
  processor.height = processor.width = 24;
  const Tensor photo =
      from_bytes(at::arange(3 * 30 * 61).remainder(251).to(at::kByte).reshape({1, 3, 30, 61}));
  const Tensor views = processor.views(photo), canvas = processor.resized(photo);
  ASSERT_EQ(canvas.sizes(), at::IntArrayRef({1, 3, 24, 48}));
  ASSERT_EQ(views.size(0), 3);
  EXPECT_TRUE(at::equal(views[1], canvas[0].narrow(2, 24, 24)));
  EXPECT_TRUE(at::equal(views.narrow(0, 2, 1), resize_image(photo, 24, 24, Filter::kBicubic)));
  EXPECT_TRUE(at::equal(processor.resized(canvas), canvas));
}

TEST(GotOcr2Processor, RefusesByNameWhatItDoesNotImplement) {
  EXPECT_SAYS(why_not<GotOcr2Processor>(R"({"size":{"shortest_edge":9}})"), "size");
  EXPECT_SAYS(why_not<GotOcr2Processor>(R"({"max_patches":0})"), "max_patches");
  EXPECT_SAYS(why_not<GotOcr2Processor>(R"({"min_patches":1e9})"), "min_patches");
  EXPECT_SAYS(why_not<GotOcr2Processor>(R"({"crop_size":100})"), "crop_size");
  EXPECT_SAYS(why_not<GotOcr2Processor>(R"({"image_processor_type":"CLIPImageProcessor"})"),
              "CLIPImageProcessor");
  EXPECT_SAYS(why_not<GotOcr2Processor>(R"({"max_patches":1,"do_resize":false})"), "do_resize");
}

TEST(LlavaOnevision, LayoutsOfRealSizes) {
  const auto config = llava_onevision_config(json::parse("{}"));
  EXPECT_EQ(config.patches_per_side(), 27);
  const auto square = config.layout({384, 384});
  EXPECT_EQ(square.scaled, (Size{27, 27}));
  const auto photo = config.layout({480, 640});  // 54 x 54 features, 40.5 rows of them the photo's
  EXPECT_EQ(photo.filled, (Size{54, 54}));
  EXPECT_EQ(photo.top, 7);
  EXPECT_EQ(photo.scaled, (Size{40, 54}));
  const auto large = config.layout({2304, 2304});  // 36 views' features are scaled to 9 views'
  EXPECT_EQ(large.unpadded, (Size{162, 162}));
  EXPECT_EQ(large.scaled, (Size{81, 81}));
  // so thin that no column of features is the photo's: its rows are newlines only, as in transformers
  const auto small = llava_onevision_config(
      json::parse(R"({"vision_config":{"image_size":28,"patch_size":7},"image_grid_pinpoints":[[28,28]]})"));
  EXPECT_EQ(small.layout({500, 3}).scaled, (Size{4, 0}));
}

TEST(VisionTower, ScaledPositionsFollowFloat32) {
  for (const int64_t side : {26, 27, 32})
    EXPECT_TRUE(at::equal(scaled_position_ids(side, side, side), at::arange(side * side))) << side;
  for (const int64_t side : {19, 25, 29, 31}) {
    const Tensor ids = scaled_position_ids(side, side, side);
    EXPECT_FALSE(at::equal(ids, at::arange(side * side))) << side;
    EXPECT_LT(ids.max().item<int64_t>(), side * side);
    EXPECT_GE(ids.min().item<int64_t>(), 0);
  }
  EXPECT_TRUE(at::equal(scaled_position_ids(1, 2, 4), at::tensor({0, 2}, at::kLong)));
}

}  // namespace
}  // namespace hijack::view_processors_test
