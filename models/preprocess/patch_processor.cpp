#include "models/preprocess/patch_processor.h"

#include <ATen/ATen.h>

#include <cmath>

#include "models/preprocess/processor_config.h"
#include "src/base/error.h"

namespace hijack {
namespace {

constexpr int64_t kMaxPixels = int64_t{1} << 28;

int64_t whole_number(const ProcessorConfig& reader, const char* key, const nlohmann::json& value,
                     int64_t most) {
  if (!value.is_number_integer() || value.get<int64_t>() < 1 || value.get<int64_t>() > most)
    reader.fail(std::string(key) + " must be a whole number in 1.." + std::to_string(most));
  return value.get<int64_t>();
}

/// transformers 5: size.{shortest,longest}_edge; min_pixels and max_pixels, where given, go before. Older
/// versions also wrote the latter inside of size.
void read_range(const ProcessorConfig& reader, PatchProcessor& processor) {
  const auto take = [&](const nlohmann::json* value, const char* key, int64_t& into) {
    if (value != nullptr && !value->is_null()) into = whole_number(reader, key, *value, kMaxPixels);
  };
  if (const nlohmann::json* size = reader.find("size")) {
    if (!size->is_object()) reader.fail("size must be {\"shortest_edge\": pixels, \"longest_edge\": pixels}");
    bool min = false, max = false;
    for (const auto& [key, value] : size->items()) {
      const bool is_min = key == "shortest_edge" || key == "min_pixels";
      if (!is_min && key != "longest_edge" && key != "max_pixels") {
        if (value.is_null()) continue;
        reader.fail("size." + key.substr(0, 100) + " is not supported for this family");
      }
      take(&value, "size", is_min ? processor.min_pixels : processor.max_pixels);
      (is_min ? min : max) = true;
    }
    min = min || reader.find("min_pixels") != nullptr;
    max = max || reader.find("max_pixels") != nullptr;
    if (!min || !max) reader.fail("size needs both shortest_edge and longest_edge");
  }
  take(reader.find("min_pixels"), "min_pixels", processor.min_pixels);
  take(reader.find("max_pixels"), "max_pixels", processor.max_pixels);
}

}  // namespace

PatchProcessor PatchProcessor::from_json(const nlohmann::json& config, const std::string& where) {
  static const std::set<std::string> kImplemented = {
      "do_resize",           "size",          "min_pixels", "max_pixels",     "resample",     "patch_size",
      "temporal_patch_size", "merge_size",    "do_rescale", "rescale_factor", "do_normalize", "image_mean",
      "image_std",           "do_center_crop"};
  const ProcessorConfig reader(config, where, kImplemented);
  const std::string type = reader.type("Qwen2VLImageProcessor");
  if (type != "Qwen2VLImageProcessor")
    reader.fail("the image processor " + type.substr(0, 100) + " is not supported for this family");
  if (reader.flag("do_center_crop", false)) reader.fail("do_center_crop is not supported for this family");
  PatchProcessor processor;
  processor.do_resize = reader.flag("do_resize", true);
  read_range(reader, processor);
  const auto small = [&](const char* key, int64_t& into) {
    if (const nlohmann::json* value = reader.find(key)) into = whole_number(reader, key, *value, 1024);
  };
  small("patch_size", processor.patch);
  small("temporal_patch_size", processor.temporal);
  small("merge_size", processor.merge);
  processor.filter = reader.filter(processor.filter);
  reader.read_normalization(processor.mean, processor.std);
  return processor;
}

PatchProcessor PatchProcessor::from_folder(const std::filesystem::path& folder) {
  const auto [config, where] = processor_json(folder);
  return from_json(config, where);
}

PatchProcessor PatchProcessor::capped(int64_t pixels) const {
  const int64_t side = patch * merge;
  if (pixels < side * side)
    throw Error("max_pixels " + std::to_string(pixels) +
                " is less than one token of this model, which takes " + std::to_string(side) + "x" +
                std::to_string(side) + " = " + std::to_string(side * side) + " pixels");
  if (!do_resize) throw Error("max_pixels needs a model that resizes; the folder's do_resize is false");
  PatchProcessor smaller = *this;
  smaller.max_pixels = std::min(max_pixels, pixels);
  // a minimum at the cap would leave no size that the model does not change again
  if (smaller.max_pixels <= min_pixels) smaller.min_pixels = side * side;
  return smaller;
}

PatchProcessor::Size PatchProcessor::resized_size(int64_t height, int64_t width) const {
  const auto factor = static_cast<double>(patch * merge);
  const auto h = static_cast<double>(height), w = static_cast<double>(width);
  if (std::max(h, w) / std::min(h, w) > 200)
    throw Error("an image of " + std::to_string(width) + "x" + std::to_string(height) +
                " pixels is too long and thin for this model, which takes proportions up to 200; crop it");
  // nearbyint rounds halves to even, as Python does
  double new_h = std::nearbyint(h / factor) * factor, new_w = std::nearbyint(w / factor) * factor;
  const auto least = static_cast<double>(min_pixels), most = static_cast<double>(max_pixels);
  if (new_h * new_w > most) {
    const double beta = std::sqrt(h * w / most);
    new_h = std::max(factor, std::floor(h / beta / factor) * factor);
    new_w = std::max(factor, std::floor(w / beta / factor) * factor);
  } else if (new_h * new_w < least) {
    const double beta = std::sqrt(least / (h * w));
    new_h = std::ceil(h * beta / factor) * factor;
    new_w = std::ceil(w * beta / factor) * factor;
  }
  if (new_h < 1 || new_w < 1 || new_h * new_w > static_cast<double>(kMaxPixels))
    throw Error("an image of " + std::to_string(width) + "x" + std::to_string(height) +
                " pixels does not fit this model's sizes; resize it first");
  return {static_cast<int64_t>(new_h), static_cast<int64_t>(new_w)};
}

Tensor PatchProcessor::resized(const Tensor& image) const {
  TORCH_CHECK(image.dim() == 4 && image.size(1) == 3, "PatchProcessor needs [N,3,H,W], not ", image.sizes());
  if (!do_resize) {
    if (image.size(2) % (patch * merge) != 0 || image.size(3) % (patch * merge) != 0)
      throw Error(
          "this model does not resize (do_resize false), so both sides of an image must be multiples of " +
          std::to_string(patch * merge));
    return image;
  }
  const Size size = resized_size(image.size(2), image.size(3));
  return resize_image(image, size.height, size.width, filter);
}

Tensor PatchProcessor::normalize(const Tensor& image) const {
  return normalize_channels(image, mean, std);
}

Tensor PatchProcessor::patches(const Tensor& image) const {
  const int64_t rows = image.size(2) / patch, columns = image.size(3) / patch;
  return image[0]
      .reshape({3, rows / merge, merge, patch, columns / merge, merge, patch})
      .permute({1, 4, 2, 5, 0, 3, 6})  // [rows', columns', merge, merge, 3, patch, patch]
      .unsqueeze(5)
      .expand({-1, -1, -1, -1, -1, temporal, -1, -1})
      .reshape({rows * columns, 3 * temporal * patch * patch});
}

}  // namespace hijack
