#include "models/families/llava_next.h"

#include "models/checkpoint/config_json.h"
#include "models/families/processor_match.h"
#include "models/families/tower_folder.h"

namespace hijack {
namespace {

/// Of LLaVA-1.6 with Mistral, with Qwen1.5 and with Vicuna.
const PublishedTemplate& published_for(const std::string& decoder) {
  if (decoder == "mistral") return kMistralTemplate;
  return decoder == "qwen2" ? kChatMlTemplate : kLlavaTemplate;
}

}  // namespace

AnyresConfig llava_next_config(const nlohmann::json& root) {
  const ConfigReader read(root, "root");
  AnyresConfig config;
  config.llava = LlavaConfig::from_json(root);
  const int64_t tile = config.llava.vision.image_size;
  config.resolutions = read.has("image_grid_pinpoints")
                           ? read_resolutions(read.raw("image_grid_pinpoints"), tile, "config.json")
                           : llava_next_resolutions(tile, "config.json");
  config.check_features();
  return config;
}

std::shared_ptr<const VisionLanguageModel> load_llava_next(const std::filesystem::path& folder,
                                                           const nlohmann::json& json, at::Device device,
                                                           at::ScalarType dtype, const TowerFolder* tower) {
  const AnyresConfig config = llava_next_config(tower ? tower->put_into(json) : json);
  const auto processor = AnyresProcessor::from_folder(folder, kLlavaNextProcessor);
  check_view(folder, config.llava.vision, processor.tile, processor.tile);
  if (!tower)
    check_image_tokens(folder, room_for_view(folder, processor.tile, processor.tile),
                       config.llava.image_tokens());
  return load_anyres({.family = "llava_next",
                      .config = config,
                      .processor = processor,
                      .files = LlavaFiles::read(folder, json, tower, published_for(llava_text_type(json)))},
                     device, dtype);
}

}  // namespace hijack
