#include "models/preprocess/pixtral_processor.h"

#include <ATen/ATen.h>

#include <cmath>

#include "models/preprocess/processor_config.h"
#include "src/base/error.h"

namespace hijack {

PixtralProcessor PixtralProcessor::from_json(const nlohmann::json& config, const std::string& where,
                                             int64_t tile) {
  static const std::set<std::string> kImplemented = {
      "do_resize", "size",       "resample", "do_rescale", "rescale_factor", "do_normalize",
      "image_std", "image_mean", "do_pad",   "patch_size", "do_center_crop", "crop_size"};
  const ProcessorConfig reader(config, where, kImplemented);
  if (const std::string type = reader.type("PixtralImageProcessor"); type != "PixtralImageProcessor")
    reader.fail("the image processor " + type.substr(0, 100) + " is not supported for this family");
  if (reader.flag("do_center_crop", false)) reader.fail("do_center_crop is not supported for this family");
  PixtralProcessor processor;
  processor.tile = tile;
  processor.do_resize = reader.flag("do_resize", true);
  if (const nlohmann::json* size = reader.find("size")) {
    if (size->is_object() && size->size() == 1 && size->contains("longest_edge"))
      processor.most_height = processor.most_width = reader.side("size", (*size)["longest_edge"]);
    else
      std::tie(processor.most_height, processor.most_width) = reader.height_and_width("size", *size);
  }
  processor.filter = reader.filter(processor.filter);
  reader.read_normalization(processor.mean, processor.std);
  return processor;
}

PixtralProcessor::Size PixtralProcessor::resized_size(int64_t height, int64_t width) const {
  const double ratio = std::max(static_cast<double>(height) / static_cast<double>(most_height),
                                static_cast<double>(width) / static_cast<double>(most_width));
  const auto side = [&](int64_t given) {
    const auto shrunk =
        ratio > 1 ? static_cast<int64_t>(std::floor(static_cast<double>(given) / ratio)) : given;
    return (shrunk + tile - 1) / tile * tile;
  };
  const Size size{side(height), side(width)};
  if (size.height < 1 || size.width < 1)
    throw Error("an image of " + std::to_string(width) + "x" + std::to_string(height) +
                " pixels is too long and thin for this model; crop it");
  return size;
}

Tensor PixtralProcessor::resized(const Tensor& image) const {
  TORCH_CHECK(image.dim() == 4 && image.size(1) == 3, "PixtralProcessor needs [N,3,H,W], not ",
              image.sizes());
  if (!do_resize) {
    if (image.size(2) % tile != 0 || image.size(3) % tile != 0)
      throw Error(
          "this model does not resize (do_resize false), so both sides of an image must be multiples of " +
          std::to_string(tile));
    return image;
  }
  const Size size = resized_size(image.size(2), image.size(3));
  return resize_image(image, size.height, size.width, filter);
}

Tensor PixtralProcessor::normalize(const Tensor& image) const {
  return normalize_channels(image, mean, std);
}

}  // namespace hijack
