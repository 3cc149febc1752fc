// Reading ImageProcessor from the JSON that transformers writes.
#include "models/preprocess/image_processor.h"
#include "models/preprocess/processor_config.h"

namespace hijack {
namespace {

using nlohmann::json;

const std::set<std::string> kImplemented = {
    "do_resize", "size", "resample", "do_center_crop", "crop_size", "do_rescale", "rescale_factor",
    "do_normalize", "image_mean", "image_std", "do_pad",
    // of Gemma 3; the numbers have no effect while it is off
    "do_pan_and_scan", "pan_and_scan_min_crop_size", "pan_and_scan_max_num_crops",
    "pan_and_scan_min_ratio_to_activate"};

/// The class defaults of transformers 5.23.
ImageProcessor defaults_of(const ProcessorConfig& reader, const std::string& type) {
  ImageProcessor processor;
  if (type == "CLIPImageProcessor" || type == "CLIPFeatureExtractor" || type == "LlavaImageProcessor") {
    processor.shortest_edge = processor.crop_height = processor.crop_width = 224;
    processor.mean = {0.48145466, 0.4578275, 0.40821073};
    processor.std = {0.26862954, 0.26130258, 0.27577711};
  } else if (type == "BitImageProcessor") {  // DINOv2's; its class has CLIP's numbers
    processor.shortest_edge = processor.crop_height = processor.crop_width = 224;
    processor.mean = {0.48145466, 0.4578275, 0.40821073};
    processor.std = {0.26862954, 0.26130258, 0.27577711};
  } else if (type == "SiglipImageProcessor") {
    processor.resize_height = processor.resize_width = 224;
    processor.do_center_crop = false;
    processor.mean = processor.std = {0.5, 0.5, 0.5};
  } else if (type == "Gemma3ImageProcessor") {
    processor.resize_height = processor.resize_width = 224;
    processor.filter = Filter::kBilinear;
    processor.do_center_crop = false;
    processor.mean = processor.std = {0.5, 0.5, 0.5};
  } else if (type == "BlipImageProcessor") {
    processor.resize_height = processor.resize_width = 384;
    processor.do_center_crop = false;
    processor.mean = {0.48145466, 0.4578275, 0.40821073};
    processor.std = {0.26862954, 0.26130258, 0.27577711};
  } else {
    reader.fail("the image processor " + type.substr(0, 100) + " is not supported");
  }
  return processor;
}

void read_size(const ProcessorConfig& reader, bool to_square, ImageProcessor& processor) {
  const json* size = reader.find("size");
  if (size == nullptr) return;
  const json* shortest = nullptr;
  if (size->is_number() && !reader.flag("default_to_square", to_square)) shortest = size;
  if (size->is_object() && size->size() == 1 && size->contains("shortest_edge"))
    shortest = &(*size)["shortest_edge"];
  processor.shortest_edge = processor.resize_height = processor.resize_width = 0;
  if (shortest != nullptr)
    processor.shortest_edge = reader.side("size", *shortest);
  else
    std::tie(processor.resize_height, processor.resize_width) = reader.height_and_width("size", *size);
}

}  // namespace

ImageProcessor ImageProcessor::from_json(const json& config, const std::string& where) {
  const ProcessorConfig reader(config, where, kImplemented);
  const std::string type = reader.type("CLIPImageProcessor");
  ImageProcessor processor = defaults_of(reader, type);
  if (reader.flag("do_pan_and_scan", false))
    reader.fail("do_pan_and_scan true is not supported; set it to false: a photo is one view then");
  processor.do_resize = reader.flag("do_resize", true);
  processor.do_center_crop = reader.flag("do_center_crop", processor.do_center_crop);
  processor.pad_to_square = reader.flag("do_pad", false);
  if (processor.pad_to_square && type != "LlavaImageProcessor")
    reader.fail("do_pad of a " + type + " is not supported");
  read_size(reader, /*to_square=*/type == "BlipImageProcessor", processor);
  processor.filter = reader.filter(processor.filter);
  if (const json* crop = reader.find("crop_size"))
    std::tie(processor.crop_height, processor.crop_width) = reader.height_and_width("crop_size", *crop);
  if (processor.do_center_crop && processor.crop_height == 0) reader.fail("do_center_crop needs a crop_size");
  reader.read_normalization(processor.mean, processor.std);
  if (processor.pad_to_square && !reader.flag("do_normalize", true))
    reader.fail("do_pad with do_normalize false is not supported");
  const bool fixed_size = processor.do_resize && (processor.shortest_edge == 0 || processor.pad_to_square);
  if (!processor.do_center_crop && !fixed_size)
    reader.fail(
        "images of changing size are not supported; set do_center_crop, or a size of height and width");
  return processor;
}

ImageProcessor ImageProcessor::from_folder(const std::filesystem::path& folder) {
  const auto [config, where] = processor_json(folder);
  return from_json(config, where);
}

}  // namespace hijack
