#include "models/preprocess/tile_processor.h"

#include <ATen/ATen.h>

#include "models/preprocess/processor_config.h"
#include "src/base/error.h"

namespace hijack {
namespace {

// transformers never enlarges the longest edge beyond this
constexpr int64_t kMaxLongestEdge = 4096;
constexpr int64_t kMaxViews = 1024;

struct TileSize {
  int64_t height, width;
};

/// Python's int(width / aspect) for aspect = w / h, and int(height * aspect).
int64_t height_for(int64_t width, const TileSize& like) {
  const double aspect = static_cast<double>(like.width) / static_cast<double>(like.height);
  return static_cast<int64_t>(static_cast<double>(width) / aspect);
}
int64_t width_for(int64_t height, const TileSize& like) {
  const double aspect = static_cast<double>(like.width) / static_cast<double>(like.height);
  return static_cast<int64_t>(static_cast<double>(height) * aspect);
}

/// The longest edge to `edge`, the other one in proportion and rounded up to an even number.
TileSize with_longest_edge(const TileSize& size, int64_t edge) {
  const auto even = [](int64_t side) { return std::max(side + side % 2, int64_t{1}); };
  TileSize result = size.width >= size.height ? TileSize{even(height_for(edge, size)), edge}
                                              : TileSize{edge, even(width_for(edge, size))};
  if (std::max(result.height, result.width) <= kMaxLongestEdge) return result;
  if (result.width >= result.height)
    return {std::max(height_for(kMaxLongestEdge, result), int64_t{1}), kMaxLongestEdge};
  return {kMaxLongestEdge, std::max(width_for(kMaxLongestEdge, result), int64_t{1})};
}

int64_t up_to_multiple(int64_t side, int64_t of) {
  return (side + of - 1) / of * of;
}

/// Both sides up to multiples of the tile, the shorter one from the proportions after the longer one grew.
TileSize whole_tiles(const TileSize& size, int64_t tile) {
  if (size.width >= size.height) {
    const int64_t width = up_to_multiple(size.width, tile);
    return {up_to_multiple(height_for(width, size), tile), width};
  }
  const int64_t height = up_to_multiple(size.height, tile);
  return {height, up_to_multiple(width_for(height, size), tile)};
}

TileSize first_size(const TileProcessor& processor, const TileSize& size) {
  if (!processor.do_resize) return size;
  if (processor.longest_edge > 0) return with_longest_edge(size, processor.longest_edge);
  return {processor.resize_height, processor.resize_width};
}

TileSize second_size(const TileProcessor& processor, const TileSize& size) {
  const int64_t tile = processor.tile;
  const TileSize result = processor.split ? whole_tiles(size, tile) : TileSize{tile, tile};
  if (result.height < tile || result.width < tile || result.height > kMaxResizedPixels / result.width ||
      (result.height / tile) * (result.width / tile) > kMaxViews)
    throw Error("an image of " + std::to_string(size.width) + "x" + std::to_string(size.height) +
                " pixels cannot be cut into views of " + std::to_string(tile) + " pixels; crop it first");
  return result;
}

TileProcessor::Grid grid_of(const TileSize& resized, int64_t tile) {
  if (resized.height <= tile && resized.width <= tile) return {};
  return {resized.height / tile, resized.width / tile};
}

}  // namespace

TileProcessor::Grid TileProcessor::grid(int64_t height, int64_t width) const {
  TORCH_CHECK(height > 0 && width > 0, "an image of ", height, "x", width);
  return grid_of(second_size(*this, first_size(*this, {height, width})), tile);
}

Tensor TileProcessor::resized(const Tensor& image) const {
  TORCH_CHECK(image.dim() == 4 && image.size(0) == 1 && image.size(1) == 3, "one RGB image is needed, not ",
              image.sizes());
  const TileSize first = first_size(*this, {image.size(2), image.size(3)});
  const TileSize second = second_size(*this, first);
  return resize_image(resize_image(image, first.height, first.width, filter), second.height, second.width,
                      filter);
}

Tensor TileProcessor::views(const Tensor& resized) const {
  const Grid cut = grid_of({resized.size(2), resized.size(3)}, tile);
  if (cut.rows == 0) return resized;
  std::vector<Tensor> parts;
  for (int64_t row = 0; row < cut.rows; ++row)
    for (int64_t column = 0; column < cut.columns; ++column)
      parts.push_back(resized.narrow(2, row * tile, tile).narrow(3, column * tile, tile));
  parts.push_back(resize_image(resized, tile, tile, filter));
  return at::cat(parts, 0);
}

Tensor TileProcessor::normalize(const Tensor& views) const {
  return normalize_channels(views, mean, std);
}

TileProcessor TileProcessor::from_json(const nlohmann::json& config, const std::string& where) {
  static const std::set<std::string> kImplemented = {
      "do_resize", "size", "resample", "do_image_splitting", "max_image_size", "do_rescale", "rescale_factor",
      "do_normalize", "image_mean", "image_std",
      // every view has the same size, so padding changes nothing; video is not read
      "do_pad", "video_sampling", "pad_size", "return_row_col_info"};
  const ProcessorConfig reader(config, where, kImplemented);
  const std::string type = reader.type("Idefics3ImageProcessor");
  if (type != "Idefics3ImageProcessor" && type != "SmolVLMImageProcessor")
    reader.fail("the image processor " + type.substr(0, 100) + " is not supported for this family");
  TileProcessor processor;
  processor.do_resize = reader.flag("do_resize", true);
  if (const nlohmann::json* size = reader.find("size")) {
    const bool longest = size->is_object() && size->size() == 1 && size->contains("longest_edge");
    processor.longest_edge = longest ? reader.side("size", size->at("longest_edge")) : 0;
    if (!longest)
      std::tie(processor.resize_height, processor.resize_width) = reader.height_and_width("size", *size);
  }
  if (const nlohmann::json* most = reader.find("max_image_size")) {
    if (!most->is_object() || most->size() != 1 || !most->contains("longest_edge"))
      reader.fail("max_image_size must be {\"longest_edge\": pixels}");
    processor.tile = reader.side("max_image_size", most->at("longest_edge"));
  }
  processor.split = reader.flag("do_image_splitting", true);
  processor.filter = reader.filter(processor.filter);
  reader.read_normalization(processor.mean, processor.std);
  return processor;
}

TileProcessor TileProcessor::from_folder(const std::filesystem::path& folder) {
  const auto [config, where] = processor_json(folder);
  return from_json(config, where);
}

}  // namespace hijack
