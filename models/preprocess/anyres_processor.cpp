#include "models/preprocess/anyres_processor.h"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>

#include "models/preprocess/image_processor.h"
#include "models/preprocess/processor_config.h"
#include "src/base/error.h"

namespace hijack {
namespace {

using Size = AnyresProcessor::Size;

constexpr int64_t kMaxResolutions = 4096;
constexpr int64_t kMaxTiles = 1024;

double ratio(int64_t a, int64_t b) {
  return static_cast<double>(a) / static_cast<double>(b);
}

int64_t truncated(int64_t side, double scale) {
  return static_cast<int64_t>(static_cast<double>(side) * scale);
}

int64_t rounded_up(int64_t side, double scale) {
  return static_cast<int64_t>(std::ceil(static_cast<double>(side) * scale));
}

/// image centered in a black one of this size.
Tensor with_bars(const Tensor& image, const Size& size) {
  const int64_t more_h = size.height - image.size(2), more_w = size.width - image.size(3);
  if (more_h == 0 && more_w == 0) return image;
  const int64_t above = more_h / 2, before = more_w / 2;
  return at::constant_pad_nd(image, {before, more_w - before, above, more_h - above}, 0);
}

}  // namespace

const AnyresProcessor::Class kLlavaOnevisionProcessor = {
    "LlavaOnevisionImageProcessor", 384, 0, AnyresProcessor::OneView::kSquare, onevision_resolutions};
const AnyresProcessor::Class kLlavaNextProcessor = {
    "LlavaNextImageProcessor", 224, 224, AnyresProcessor::OneView::kSqueezed, llava_next_resolutions};

std::vector<Size> llava_next_resolutions(int64_t tile, const std::string& where) {
  return read_resolutions({{336, 672}, {672, 336}, {672, 672}, {1008, 336}, {336, 1008}}, tile, where);
}

std::vector<Size> onevision_resolutions(int64_t tile, const std::string& where) {
  if (384 % tile != 0)
    throw Error(where + ": image_grid_pinpoints must be present for views of " + std::to_string(tile) +
                " pixels");
  std::vector<Size> sizes;
  for (int64_t height = 384; height <= 2304; height += 384)
    for (int64_t width = 384; width <= 2304; width += 384) sizes.push_back({height, width});
  return sizes;
}

std::vector<Size> read_resolutions(const nlohmann::json& pinpoints, int64_t tile, const std::string& where) {
  const auto fail = [&](const std::string& what) { throw Error(where + ": image_grid_pinpoints " + what); };
  if (!pinpoints.is_array() || pinpoints.empty() || pinpoints.size() > kMaxResolutions)
    fail("must be a list of [height, width]");
  std::vector<Size> sizes;
  for (const auto& one : pinpoints) {
    if (!one.is_array() || one.size() != 2 || !one[0].is_number_integer() || !one[1].is_number_integer())
      fail("must be a list of [height, width]");
    const Size size{one[0].get<int64_t>(), one[1].get<int64_t>()};
    for (const int64_t side : {size.height, size.width})
      if (side < 1 || side > kMaxSide || side % tile != 0)
        fail("must hold multiples of the view's " + std::to_string(tile) + " pixels up to " +
             std::to_string(kMaxSide));
    if ((size.height / tile) * (size.width / tile) > kMaxTiles) fail("ask for too many views");
    sizes.push_back(size);
  }
  return sizes;
}

Size select_resolution(const std::vector<Size>& resolutions, const Size& image) {
  Size best;
  int64_t most_kept = 0, least_wasted = std::numeric_limits<int64_t>::max();
  for (const Size& size : resolutions) {
    const double scale = std::min(ratio(size.width, image.width), ratio(size.height, image.height));
    const int64_t kept =
        std::min(truncated(image.width, scale) * truncated(image.height, scale), image.width * image.height);
    const int64_t wasted = size.width * size.height - kept;
    if (kept > most_kept || (kept == most_kept && wasted < least_wasted)) {
      most_kept = kept;
      least_wasted = wasted;
      best = size;
    }
  }
  return best;
}

Size AnyresProcessor::best_resolution(const Size& image) const {
  return select_resolution(resolutions, image);
}

Size AnyresProcessor::fitted(const Size& image) const {
  if (one_view) return {tile, tile};
  const Size best = best_resolution(image);
  const double by_width = ratio(best.width, image.width), by_height = ratio(best.height, image.height);
  if (by_width < by_height) return {std::min(rounded_up(image.height, by_width), best.height), best.width};
  return {best.height, std::min(rounded_up(image.width, by_height), best.width)};
}

Tensor AnyresProcessor::fit(const Tensor& image) const {
  TORCH_CHECK(image.dim() == 4 && image.size(0) == 1 && image.size(1) == 3, "one RGB image is needed, not ",
              image.sizes());
  const Size size = fitted({image.size(2), image.size(3)});
  const bool bars = one_view && one_view_kind == OneView::kSquare;
  return resize_image(bars ? padded_to_square(image, mean) : image, size.height, size.width, filter);
}

Tensor AnyresProcessor::views(const Tensor& image) const {
  if (one_view) return fit(image);
  const Size size = best_resolution({image.size(2), image.size(3)});
  const Tensor filled = with_bars(fit(image), size);
  std::vector<Tensor> parts = {resize_image(image, tile, tile, filter)};
  for (int64_t top = 0; top < size.height; top += tile)
    for (int64_t left = 0; left < size.width; left += tile)
      parts.push_back(filled.narrow(2, top, tile).narrow(3, left, tile));
  return at::cat(parts, 0);
}

Tensor AnyresProcessor::normalize(const Tensor& views) const {
  return normalize_channels(views, mean, std);
}

AnyresProcessor AnyresProcessor::from_json(const nlohmann::json& config, const std::string& where,
                                           const Class& defaults) {
  static const std::set<std::string> kImplemented = {
      "do_resize", "size",       "resample",   "image_grid_pinpoints", "do_center_crop",
      "crop_size", "do_rescale", "image_mean", "rescale_factor",       "do_normalize",
      "image_std", "do_pad",     "pad_size"};  // padding is of other images' views: here is one image
  const ProcessorConfig reader(config, where, kImplemented);
  const std::string type = reader.type(defaults.type);
  if (type != defaults.type)
    reader.fail("the image processor " + type.substr(0, 100) + " is not supported for this family");
  const auto square = [&](const char* key, const nlohmann::json& value) {
    if (value.is_object() && value.size() == 1 && value.contains("shortest_edge"))
      return reader.side(key, value["shortest_edge"]);
    const auto [height, width] = reader.height_and_width(key, value);
    if (height != width) reader.fail(std::string(key) + " must be square");
    return height;
  };
  AnyresProcessor processor;
  processor.tile = defaults.tile;
  processor.one_view_kind = defaults.one_view;
  processor.mean = {0.48145466, 0.4578275, 0.40821073};
  processor.std = {0.26862954, 0.26130258, 0.27577711};
  if (const nlohmann::json* size = reader.find("size")) processor.tile = square("size", *size);
  processor.resizes = reader.flag("do_resize", true);  // several views have the size already
  processor.normalizes = reader.flag("do_normalize", true);
  int64_t crop = config.contains("crop_size") ? 0 : defaults.crop;
  if (const nlohmann::json* given = reader.find("crop_size")) crop = square("crop_size", *given);
  if (crop != 0 && crop != processor.tile)
    reader.fail("a crop_size of " + std::to_string(crop) + " beside a size of " +
                std::to_string(processor.tile) + " is not supported");
  const nlohmann::json* pinpoints = reader.find("image_grid_pinpoints");
  processor.resolutions = pinpoints != nullptr ? read_resolutions(*pinpoints, processor.tile, where)
                                               : defaults.resolutions(processor.tile, where);
  processor.filter = reader.filter(processor.filter);
  reader.read_normalization(processor.mean, processor.std);
  return processor;
}

AnyresProcessor AnyresProcessor::from_folder(const std::filesystem::path& folder, const Class& defaults) {
  const auto [config, where] = processor_json(folder);
  return from_json(config, where, defaults);
}

}  // namespace hijack
