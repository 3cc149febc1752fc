#include "src/training/eye_model.h"

#include <nlohmann/json.hpp>

#include "models/checkpoint/config_json.h"
#include "models/families/decoder_language_model.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;

}  // namespace

EyeModel::EyeModel(const fs::path& decoder_folder, const fs::path& folder, Parameters& parameters,
                   at::Device device) {
  const nlohmann::json text = read_json(decoder_folder / "config.json"),
                       whole = read_json(folder / "config.json");
  auto decoder = load_text_decoder(decoder_folder, text, device, at::kFloat);
  LlavaConfig config = LlavaConfig::from_json(whole);
  config.text = decoder->config();
  network = std::make_shared<const LlavaNetwork>(config, parameters.source(config.vision.layers), decoder);
  chat = ChatTemplate::of_folder(folder, kLlavaTemplate);
  model = std::make_shared<const Llava>(network, load_tokenizer(folder, config.text.vocabulary),
                                        ImageProcessor::from_folder(folder),
                                        text_reply_rules(decoder_folder, text), chat);
}

TokenIds EyeModel::text_ids(const Query& query) const {
  const RenderedPrompt prompt = chat->render(query, /*with_image=*/false);
  return model->tokenizer().encode(prompt.text, prompt.add_special_tokens);
}

TensorMap read_eye(const fs::path& from) {
  TensorMap stored = fs::is_directory(from) ? Weights(from).tensors() : load_safetensors(from);
  const bool eye = std::any_of(stored.begin(), stored.end(),
                               [](const auto& entry) { return entry.first.starts_with("vision_tower."); });
  if (!eye) throw Error(from.string() + " holds no vision tower (tensors vision_tower.*)");
  return stored;
}

bool start_from(Parameters& parameters, const TensorMap& stored, const fs::path& from) {
  const at::NoGradGuard no_gradients;
  bool any = false, projector = false;
  for (const auto& [name, value] : parameters.values()) {
    const auto found = stored.find(name);
    if (found == stored.end() || found->second.sizes() != value.sizes()) continue;
    parameters.at(name).copy_(found->second);
    any = true;
    projector = projector || name.starts_with("multi_modal_projector.linear_2");
  }
  if (!any) throw Error(from.string() + " holds another kind of tower; nothing of it fits");
  return projector;
}

}  // namespace hijack
