// Reading ImageProcessor from the JSON that transformers writes.
#include <nlohmann/json.hpp>

#include "models/preprocess/image_processor.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr int64_t kMaxSide = 16384;

// Settings that change nothing here: the input is always RGB, and only one image layout exists.
const std::set<std::string> kWithoutEffect = {"processor_class",
                                              "image_processor_type",
                                              "feature_extractor_type",
                                              "do_convert_rgb",
                                              "data_format",
                                              "input_data_format",
                                              "return_tensors",
                                              "device",
                                              "disable_grouping",
                                              "backend",
                                              "use_fast",
                                              "_valid_processor_keys",
                                              "_valid_kwargs_names",
                                              "auto_map",
                                              "image_seq_length",
                                              "default_to_square"};
const std::set<std::string> kImplemented = {"do_resize",  "size",       "resample",       "do_center_crop",
                                            "crop_size",  "do_rescale", "rescale_factor", "do_normalize",
                                            "image_mean", "image_std",  "do_pad"};

class ConfigReader {
 public:
  ConfigReader(const json& config, const std::string& where) : config_(config), where_(where) {
    if (!config.is_object()) throw Error(where + " is not a JSON object");
    for (const auto& [key, value] : config.items())
      if (!value.is_null() && !kWithoutEffect.contains(key) && !kImplemented.contains(key))
        fail("the setting " + key.substr(0, 100) + " is not supported");
  }

  [[noreturn]] void fail(const std::string& what) const { throw Error(where_ + ": " + what); }

  /// The value, or nullptr where it is absent or null.
  const json* find(const char* key) const {
    const auto found = config_.find(key);
    return found == config_.end() || found->is_null() ? nullptr : &*found;
  }

  bool flag(const char* key, bool otherwise) const {
    const json* value = find(key);
    if (value == nullptr) return otherwise;
    if (!value->is_boolean()) fail(std::string(key) + " must be true or false");
    return value->get<bool>();
  }

  int64_t side(const char* key, const json& value) const {
    if (!value.is_number_integer() || value.get<int64_t>() < 1 || value.get<int64_t>() > kMaxSide)
      fail(std::string(key) + " must hold whole numbers in 1.." + std::to_string(kMaxSide));
    return value.get<int64_t>();
  }

  std::array<double, 3> three(const char* key, const std::array<double, 3>& otherwise) const {
    const json* value = find(key);
    if (value == nullptr) return otherwise;
    std::array<double, 3> result{};
    const bool list = value->is_array() && value->size() == 3;
    for (size_t i = 0; i < 3; ++i) {
      const json& number = list ? (*value)[i] : *value;
      if (!number.is_number() || !std::isfinite(number.get<double>()))
        fail(std::string(key) + " must be a number or three numbers");
      result[i] = number.get<double>();
    }
    return result;
  }

  /// {height, width} from 336, [h, w] or {"height": h, "width": w}.
  std::pair<int64_t, int64_t> height_and_width(const char* key, const json& value) const {
    if (value.is_number()) return {side(key, value), side(key, value)};
    if (value.is_array() && value.size() == 2) return {side(key, value[0]), side(key, value[1])};
    if (value.is_object() && value.size() == 2 && value.contains("height") && value.contains("width"))
      return {side(key, value["height"]), side(key, value["width"])};
    fail(std::string(key) + " in this form is not supported: " + value.dump().substr(0, 100));
  }

 private:
  const json& config_;
  const std::string& where_;
};

/// "CLIPImageProcessorFast" -> "CLIPImageProcessor": backends of one processor.
std::string processor_type(const ConfigReader& reader) {
  for (const char* key : {"image_processor_type", "feature_extractor_type"}) {
    const json* value = reader.find(key);
    if (value == nullptr) continue;
    if (!value->is_string()) reader.fail(std::string(key) + " must be a string");
    auto type = value->get<std::string>();
    for (const std::string_view ending : {"Fast", "Pil"})
      if (type.ends_with(ending)) type.erase(type.size() - ending.size());
    return type;
  }
  return "CLIPImageProcessor";
}

/// The class defaults of transformers 5.23.
ImageProcessor defaults_of(const ConfigReader& reader, const std::string& type) {
  ImageProcessor processor;
  if (type == "CLIPImageProcessor" || type == "CLIPFeatureExtractor" || type == "LlavaImageProcessor") {
    processor.shortest_edge = processor.crop_height = processor.crop_width = 224;
    processor.mean = {0.48145466, 0.4578275, 0.40821073};
    processor.std = {0.26862954, 0.26130258, 0.27577711};
  } else if (type == "SiglipImageProcessor") {
    processor.resize_height = processor.resize_width = 224;
    processor.do_center_crop = false;
    processor.mean = processor.std = {0.5, 0.5, 0.5};
  } else {
    reader.fail("the image processor " + type.substr(0, 100) + " is not supported");
  }
  return processor;
}

void read_size(const ConfigReader& reader, ImageProcessor& processor) {
  const json* size = reader.find("size");
  if (size == nullptr) return;
  const json* shortest = nullptr;
  if (size->is_number() && !reader.flag("default_to_square", false)) shortest = size;
  if (size->is_object() && size->size() == 1 && size->contains("shortest_edge"))
    shortest = &(*size)["shortest_edge"];
  processor.shortest_edge = processor.resize_height = processor.resize_width = 0;
  if (shortest != nullptr)
    processor.shortest_edge = reader.side("size", *shortest);
  else
    std::tie(processor.resize_height, processor.resize_width) = reader.height_and_width("size", *size);
}

void read_resample(const ConfigReader& reader, ImageProcessor& processor) {
  static const std::map<int64_t, Filter> kFilters = {
      {1, Filter::kLanczos}, {2, Filter::kBilinear}, {3, Filter::kBicubic}, {4, Filter::kBox}};
  const json* resample = reader.find("resample");
  if (resample == nullptr) return;
  if (!resample->is_number_integer() || !kFilters.contains(resample->get<int64_t>()))
    reader.fail("resample " + resample->dump().substr(0, 50) +
                " is not supported; 1 (Lanczos), 2 (bilinear), 3 (bicubic) and 4 (box) are");
  processor.filter = kFilters.at(resample->get<int64_t>());
}

void read_rescale_and_normalize(const ConfigReader& reader, ImageProcessor& processor) {
  if (!reader.flag("do_rescale", true)) reader.fail("do_rescale false is not supported");
  if (const json* factor = reader.find("rescale_factor"))
    if (!factor->is_number() || std::abs(factor->get<double>() * 255 - 1) > 1e-6)
      reader.fail("a rescale_factor other than 1/255 is not supported");
  processor.mean = reader.three("image_mean", processor.mean);
  processor.std = reader.three("image_std", processor.std);
  for (const double value : processor.mean)
    if (value < 0 || value > 1) reader.fail("image_mean must be in 0..1");
  for (const double value : processor.std)
    if (value < 1e-6) reader.fail("image_std must be positive");
  if (reader.flag("do_normalize", true)) return;
  if (processor.pad_to_square) reader.fail("do_pad with do_normalize false is not supported");
  processor.mean = {0, 0, 0};
  processor.std = {1, 1, 1};
}

}  // namespace

ImageProcessor ImageProcessor::from_json(const json& config, const std::string& where) {
  const ConfigReader reader(config, where);
  const std::string type = processor_type(reader);
  ImageProcessor processor = defaults_of(reader, type);
  processor.do_resize = reader.flag("do_resize", true);
  processor.do_center_crop = reader.flag("do_center_crop", processor.do_center_crop);
  processor.pad_to_square = reader.flag("do_pad", false);
  if (processor.pad_to_square && type != "LlavaImageProcessor")
    reader.fail("do_pad of a " + type + " is not supported");
  read_size(reader, processor);
  read_resample(reader, processor);
  if (const json* crop = reader.find("crop_size"))
    std::tie(processor.crop_height, processor.crop_width) = reader.height_and_width("crop_size", *crop);
  if (processor.do_center_crop && processor.crop_height == 0) reader.fail("do_center_crop needs a crop_size");
  read_rescale_and_normalize(reader, processor);
  const bool fixed_size = processor.do_resize && (processor.shortest_edge == 0 || processor.pad_to_square);
  if (!processor.do_center_crop && !fixed_size)
    reader.fail(
        "images of changing size are not supported; set do_center_crop, or a size of height and width");
  return processor;
}

ImageProcessor ImageProcessor::from_folder(const std::filesystem::path& folder) {
  // The order of transformers 5: the nested one wins.
  const auto nested = folder / "processor_config.json", plain = folder / "preprocessor_config.json";
  if (std::filesystem::is_regular_file(nested)) {
    const json config = read_json(nested);
    if (config.is_object() && config.contains("image_processor"))
      return from_json(config["image_processor"], nested.string());
  }
  if (std::filesystem::is_regular_file(plain)) return from_json(read_json(plain), plain.string());
  throw Error(folder.string() +
              " has neither preprocessor_config.json nor an image_processor in "
              "processor_config.json; copy them from the model's page");
}

}  // namespace hijack
