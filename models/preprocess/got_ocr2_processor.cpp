#include "models/preprocess/got_ocr2_processor.h"

#include <ATen/ATen.h>

#include <cmath>

#include "models/preprocess/processor_config.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr int64_t kMostTiles = 256;  // released folders have 12, and 6 for videos

/// All grids of so many tiles, the smaller ones first, of equals the narrower one.
std::vector<GotOcr2Processor::Grid> grids(int64_t fewest, int64_t most) {
  std::vector<GotOcr2Processor::Grid> found;
  for (int64_t columns = 1; columns <= most; ++columns)
    for (int64_t rows = 1; rows * columns <= most; ++rows)
      if (rows * columns >= fewest) found.push_back({rows, columns});
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.rows * a.columns < b.rows * b.columns; });
  return found;
}

int64_t tile_count(const ProcessorConfig& reader, const char* key, int64_t otherwise) {
  const nlohmann::json* value = reader.find(key);
  if (value == nullptr) return otherwise;
  if (!value->is_number_integer() || value->get<int64_t>() < 1 || value->get<int64_t>() > kMostTiles)
    reader.fail(std::string(key) + " must be a whole number in 1.." + std::to_string(kMostTiles));
  return value->get<int64_t>();
}

}  // namespace

GotOcr2Processor::Grid GotOcr2Processor::grid(int64_t image_height, int64_t image_width) const {
  TORCH_CHECK(image_height > 0 && image_width > 0, "an image of ", image_height, "x", image_width);
  Grid best;
  if (max_tiles == 1) return best;
  const double ratio = static_cast<double>(image_width) / static_cast<double>(image_height);
  const auto area = static_cast<double>(image_height) * static_cast<double>(image_width);
  double closest = INFINITY;
  for (const Grid& one : grids(min_tiles, max_tiles)) {
    const double off = std::abs(ratio - static_cast<double>(one.columns) / static_cast<double>(one.rows));
    const auto tiles = static_cast<double>(height * width * one.rows * one.columns);
    // of equal proportions the larger grid, as long as the image fills more than half of it
    if (off < closest || (off == closest && area > 0.5 * tiles)) best = one;
    closest = std::min(closest, off);
  }
  if (best.rows * height > kMaxResizedPixels / (best.columns * width))
    throw Error("an image of " + std::to_string(image_width) + "x" + std::to_string(image_height) +
                " pixels would be enlarged to " + std::to_string(best.columns) + "x" +
                std::to_string(best.rows) +
                " tiles, which is too much; lower max_patches of the image processor");
  return best;
}

Tensor GotOcr2Processor::resized(const Tensor& image) const {
  TORCH_CHECK(image.dim() == 4 && image.size(0) == 1 && image.size(1) == 3, "one RGB image is needed, not ",
              image.sizes());
  const Grid cut = grid(image.size(2), image.size(3));
  return resize_image(image, cut.rows * height, cut.columns * width, filter);
}

Tensor GotOcr2Processor::views(const Tensor& image) const {
  const Grid cut = grid(image.size(2), image.size(3));
  const Tensor canvas = resized(image);
  if (cut.views() == 1) return canvas;
  std::vector<Tensor> parts;
  for (int64_t row = 0; row < cut.rows; ++row)
    for (int64_t column = 0; column < cut.columns; ++column)
      parts.push_back(canvas.narrow(2, row * height, height).narrow(3, column * width, width));
  parts.push_back(resize_image(image, height, width, filter));  // of the image itself, not of the canvas
  return at::cat(parts, 0);
}

Tensor GotOcr2Processor::normalize(const Tensor& views) const {
  return normalize_channels(views, mean, std);
}

GotOcr2Processor GotOcr2Processor::from_json(const nlohmann::json& config, const std::string& where) {
  static const std::set<std::string> kImplemented = {
      "do_resize",  "size",      "resample",        "do_rescale",  "rescale_factor", "do_normalize",
      "image_mean", "image_std", "crop_to_patches", "min_patches", "max_patches"};
  const ProcessorConfig reader(config, where, kImplemented);
  const std::string type = reader.type("GotOcr2ImageProcessor");
  if (type != "GotOcr2ImageProcessor")
    reader.fail("the image processor " + type.substr(0, 100) + " is not supported for this family");
  GotOcr2Processor processor;
  if (const nlohmann::json* size = reader.find("size"))
    std::tie(processor.height, processor.width) = reader.height_and_width("size", *size);
  processor.do_resize = reader.flag("do_resize", true);
  processor.min_tiles = tile_count(reader, "min_patches", processor.min_tiles);
  processor.max_tiles = tile_count(reader, "max_patches", processor.max_tiles);
  if (processor.max_tiles == 1 && !processor.do_resize)
    reader.fail("do_resize false is not supported where max_patches is 1");
  processor.filter = reader.filter(processor.filter);
  reader.read_normalization(processor.mean, processor.std);
  return processor;
}

GotOcr2Processor GotOcr2Processor::from_folder(const std::filesystem::path& folder) {
  const auto [config, where] = processor_json(folder);
  return from_json(config, where);
}

}  // namespace hijack
