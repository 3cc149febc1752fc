#include "models/preprocess/processor_config.h"

#include <ATen/ATen.h>

#include <cmath>
#include <map>

#include "src/base/error.h"
#include "src/base/json.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

using nlohmann::json;

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

}  // namespace

ProcessorConfig::ProcessorConfig(const json& config, const std::string& where,
                                 const std::set<std::string>& implemented)
    : config_(config), where_(where) {
  if (!config.is_object()) throw Error(where + " is not a JSON object");
  for (const auto& [key, value] : config.items())
    if (!value.is_null() && !kWithoutEffect.contains(key) && !implemented.contains(key))
      fail("the setting " + key.substr(0, 100) + " is not supported");
}

void ProcessorConfig::fail(const std::string& what) const {
  throw Error(where_ + ": " + what);
}

const json* ProcessorConfig::find(const char* key) const {
  const auto found = config_.find(key);
  return found == config_.end() || found->is_null() ? nullptr : &*found;
}

bool ProcessorConfig::flag(const char* key, bool otherwise) const {
  const auto value = config_.find(key);
  if (value == config_.end()) return otherwise;
  if (value->is_null()) return false;  // to transformers a null is no step, not the class default
  if (!value->is_boolean()) fail(std::string(key) + " must be true or false");
  return value->get<bool>();
}

int64_t ProcessorConfig::side(const char* key, const json& value) const {
  if (!value.is_number_integer() || value.get<int64_t>() < 1 || value.get<int64_t>() > kMaxSide)
    fail(std::string(key) + " must hold whole numbers in 1.." + std::to_string(kMaxSide));
  return value.get<int64_t>();
}

std::pair<int64_t, int64_t> ProcessorConfig::height_and_width(const char* key, const json& value) const {
  if (value.is_number()) return {side(key, value), side(key, value)};
  if (value.is_array() && value.size() == 2) return {side(key, value[0]), side(key, value[1])};
  if (value.is_object() && value.size() == 2 && value.contains("height") && value.contains("width"))
    return {side(key, value["height"]), side(key, value["width"])};
  fail(std::string(key) + " in this form is not supported: " + value.dump().substr(0, 100));
}

std::string ProcessorConfig::type(const char* otherwise) const {
  for (const char* key : {"image_processor_type", "feature_extractor_type"}) {
    const json* value = find(key);
    if (value == nullptr) continue;
    if (!value->is_string()) fail(std::string(key) + " must be a string");
    auto type = value->get<std::string>();
    for (const std::string_view ending : {"Fast", "Pil"})
      if (type.ends_with(ending)) type.erase(type.size() - ending.size());
    return type;
  }
  return otherwise;
}

Filter ProcessorConfig::filter(Filter otherwise) const {
  static const std::map<int64_t, Filter> kFilters = {
      {1, Filter::kLanczos}, {2, Filter::kBilinear}, {3, Filter::kBicubic}, {4, Filter::kBox}};
  const json* resample = find("resample");
  if (resample == nullptr) return otherwise;
  if (!resample->is_number_integer() || !kFilters.contains(resample->get<int64_t>()))
    fail("resample " + resample->dump().substr(0, 50) +
         " is not supported; 1 (Lanczos), 2 (bilinear), 3 (bicubic) and 4 (box) are");
  return kFilters.at(resample->get<int64_t>());
}

std::array<double, 3> ProcessorConfig::three(const char* key, const std::array<double, 3>& otherwise) const {
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

void ProcessorConfig::read_normalization(std::array<double, 3>& mean, std::array<double, 3>& std) const {
  if (!flag("do_rescale", true)) fail("do_rescale false is not supported");
  if (const json* factor = find("rescale_factor"))
    if (!factor->is_number() || std::abs(factor->get<double>() * 255 - 1) > 1e-6)
      fail("a rescale_factor other than 1/255 is not supported");
  mean = three("image_mean", mean);
  std = three("image_std", std);
  for (const double value : mean)
    if (value < 0 || value > 1) fail("image_mean must be in 0..1");
  for (const double value : std)
    if (value < 1e-6) fail("image_std must be positive");
  if (flag("do_normalize", true)) return;
  mean = {0, 0, 0};
  std = {1, 1, 1};
}

std::pair<json, std::string> processor_json(const std::filesystem::path& folder) {
  // the order of transformers 5: the nested one wins
  const auto nested = folder / "processor_config.json", plain = folder / "preprocessor_config.json";
  if (std::filesystem::is_regular_file(nested)) {
    const json config = read_json(nested);
    if (config.is_object() && config.contains("image_processor"))
      return {config["image_processor"], nested.string()};
  }
  if (std::filesystem::is_regular_file(plain)) return {read_json(plain), plain.string()};
  throw Error(folder.string() +
              " has neither preprocessor_config.json nor an image_processor in processor_config.json; copy "
              "them from the model's page");
}

Tensor normalize_channels(const Tensor& image, const std::array<double, 3>& mean,
                          const std::array<double, 3>& std) {
  const Tensor values = image.to(at::kFloat);
  const auto channels = [&](const std::array<double, 3>& three) {
    return constant_numbers(three, values.options()).reshape({1, 3, 1, 1});
  };
  return (values - channels(mean)) / channels(std);
}

}  // namespace hijack
