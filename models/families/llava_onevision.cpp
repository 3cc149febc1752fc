#include "models/families/llava_onevision.h"

#include "models/checkpoint/config_json.h"
#include "models/families/processor_match.h"
#include "models/families/tower_folder.h"
#include "src/base/error.h"

namespace hijack {
namespace {

/// The root of config.json with this family's class defaults where they differ from LLaVA's.
nlohmann::json with_defaults(nlohmann::json root) {
  const auto set = [](nlohmann::json& object, const char* key, const nlohmann::json& value) {
    if (!object.contains(key) || object[key].is_null()) object[key] = value;
  };
  set(root, "vision_feature_layer", -1);
  set(root, "vision_feature_select_strategy", "full");
  if (!root.contains("image_token_id")) set(root, "image_token_index", 151646);
  set(root, "vision_config",
      {{"hidden_size", 1152},
       {"intermediate_size", 4304},
       {"patch_size", 14},
       {"image_size", 384},
       {"num_hidden_layers", 26},
       {"num_attention_heads", 16}});
  set(root, "text_config", nlohmann::json::object());
  if (root["vision_config"].is_object()) set(root["vision_config"], "model_type", "siglip_vision_model");
  if (root["text_config"].is_object()) set(root["text_config"], "model_type", "qwen2");
  return root;
}

/// "anyres_max_9" -> 9.
int64_t read_max_views(const std::string& text) {
  const std::string start = "anyres_max_";
  const std::string digits = text.starts_with(start) ? text.substr(start.size()) : "";
  if (digits.empty() || digits.size() > 4 || digits.find_first_not_of("0123456789") != digits.npos ||
      std::stoll(digits) < 1)
    throw Error("config.json: vision_aspect_ratio \"" + text.substr(0, 100) +
                "\" is not supported; anyres_max_9 and its like are");
  return std::stoll(digits);
}

}  // namespace

AnyresConfig llava_onevision_config(const nlohmann::json& root) {
  const ConfigReader read(root, "root");
  AnyresConfig config;
  config.llava = LlavaConfig::from_json(with_defaults(root));
  const int64_t tile = config.llava.vision.image_size;
  config.resolutions = read.has("image_grid_pinpoints")
                           ? read_resolutions(read.raw("image_grid_pinpoints"), tile, "config.json")
                           : onevision_resolutions(tile, "config.json");
  config.max_views = read_max_views(read.text("vision_aspect_ratio", "anyres_max_9"));
  config.check_features();
  return config;
}

std::shared_ptr<const VisionLanguageModel> load_llava_onevision(const std::filesystem::path& folder,
                                                                const nlohmann::json& json, at::Device device,
                                                                at::ScalarType dtype,
                                                                const TowerFolder* tower) {
  const AnyresConfig config = llava_onevision_config(tower ? tower->put_into(json) : json);
  const auto processor = AnyresProcessor::from_folder(folder, kLlavaOnevisionProcessor);
  check_view(folder, config.llava.vision, processor.tile, processor.tile);
  if (!tower)
    check_image_tokens(folder, processor_number(processor_settings(folder), "num_image_tokens"),
                       config.llava.image_tokens());
  return load_anyres({.family = "llava_onevision",
                      .config = config,
                      .processor = processor,
                      .files = LlavaFiles::read(folder, with_defaults(json), tower, kLlavaOnevisionTemplate)},
                     device, dtype);
}

}  // namespace hijack
