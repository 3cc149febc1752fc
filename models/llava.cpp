#include "models/llava.h"

#include "models/checkpoint.h"
#include "models/config_json.h"
#include "models/prompt_format.h"
#include "src/base/error.h"

namespace hijack {

LlavaConfig LlavaConfig::from_json(const nlohmann::json& root) {
  const ConfigReader read(root, "root");
  const auto part = [&](const char* key) { return read.has(key) ? read.raw(key) : nlohmann::json::object(); };
  LlavaConfig config;
  config.vision = VisionConfig::from_json(part("vision_config"));
  config.text = DecoderConfig::from_json(part("text_config"), read.flag("tie_word_embeddings", false));
  config.image_token = read.has("image_token_id") ? read.integer("image_token_id", {})
                                                  : read.integer("image_token_index", 32000);
  if (read.has("vision_feature_layer")) {
    if (!read.raw("vision_feature_layer").is_number_integer())
      throw Error(
          "config.json: a list of feature layers is not supported; vision_feature_layer must be one number");
    config.feature_layer = read.raw("vision_feature_layer").get<int64_t>();
  }
  const auto strategy = read.text("vision_feature_select_strategy", "default");
  if (strategy != "default" && strategy != "full")
    throw Error("config.json: vision_feature_select_strategy \"" + strategy + "\" is not supported");
  config.keep_class_token = strategy == "full";
  config.projector_bias = read.flag("multimodal_projector_bias", true);
  config.projector_activation = activation_from_name(read.text("projector_hidden_act", "gelu"));
  config.vision_layers_used();  // checks the range
  return config;
}

int64_t LlavaConfig::vision_layers_used() const {
  const int64_t used = feature_layer < 0 ? vision.layers + 1 + feature_layer : feature_layer;
  if (used < 0 || used > vision.layers)
    throw Error("config.json: vision_feature_layer " + std::to_string(feature_layer) +
                " is outside a tower of " + std::to_string(vision.layers) + " layers");
  return used;
}

int64_t LlavaConfig::image_tokens() const {
  // "default" drops the first token whatever it is, "full" keeps all
  return vision.patches() + (vision.class_token ? 1 : 0) - (keep_class_token ? 0 : 1);
}

LlavaNetwork::LlavaNetwork(const LlavaConfig& c, const ParameterSource& source)
    : config(c), tower(c.vision, source, "vision_tower", c.vision_layers_used()) {
  const int64_t width = c.text.width;
  project1 = Linear(source, "multi_modal_projector.linear_1", c.vision.width, width, c.projector_bias);
  if (!c.linear_projector)
    project2 = Linear(source, "multi_modal_projector.linear_2", width, width, c.projector_bias);
  decoder = std::make_shared<const Decoder>(c.text, source, "language_model.model", "language_model.lm_head");
}

Tensor LlavaNetwork::image_features(const Tensor& pixels) const {
  Tensor x = tower.forward(pixels);
  if (!config.keep_class_token) x = x.narrow(1, 1, x.size(1) - 1);
  x = project1(x);
  return config.linear_projector ? x : project2(activate(config.projector_activation, x));
}

namespace {

TokenIds llava_stops(const Tokenizer& tokenizer) {
  const auto end = tokenizer.token_to_id("</s>");
  return end ? TokenIds{*end} : TokenIds{};
}

}  // namespace

Llava::Llava(std::shared_ptr<const LlavaNetwork> network, std::shared_ptr<const Tokenizer> tokenizer,
             const ImageProcessor& processor)
    : ImagePromptModel(network->decoder, tokenizer, network->config.image_token, llava_stops(*tokenizer)),
      network_(std::move(network)),
      processor_(processor) {}

ImageSpec Llava::image_spec() const {
  return {processor_.output_height(), processor_.output_width()};
}

Tensor Llava::to_input_space(const Tensor& image) const {
  const at::NoGradGuard no_gradients;
  return processor_.geometry(image);
}

Pixels Llava::preprocess(const Tensor& image) const {
  return {processor_.normalize(processor_.geometry(image)).to(device()), image.size(2), image.size(3)};
}

Tensor Llava::image_features(const Pixels& pixels) const {
  return network_->image_features(pixels.values);
}

std::string Llava::render(const Query& query, bool with_image) const {
  return render_llava(query, with_image);
}

TokenIds Llava::image_ids(const Pixels&) const {
  return TokenIds(static_cast<size_t>(network_->config.image_tokens()), image_token());
}

std::string canonical_llava_name(const std::string& stored) {
  std::string name = stored;
  const auto replace_front = [&](const char* from, const char* to) {
    if (name.starts_with(from)) name = to + name.substr(std::string(from).size());
  };
  replace_front("model.vision_tower.", "vision_tower.");
  replace_front("model.multi_modal_projector.", "multi_modal_projector.");
  replace_front("model.language_model.", "language_model.model.");
  replace_front("lm_head.", "language_model.lm_head.");
  replace_front("vision_tower.vision_model.", "vision_tower.");
  if (name.ends_with(".position_ids") || name.ends_with("rotary_emb.inv_freq")) return "";
  return name;
}

std::shared_ptr<const VisionLanguageModel> load_llava(const std::filesystem::path& folder,
                                                      const nlohmann::json& json, at::Device device,
                                                      at::ScalarType dtype) {
  LlavaConfig config = LlavaConfig::from_json(json);
  Weights weights(folder);
  weights.rename([&](const std::string& stored) {
    const std::string name = canonical_llava_name(stored);
    return beyond_features(name, "vision_tower", config.vision_layers_used()) ? std::string() : name;
  });
  config.linear_projector = !weights.has("multi_modal_projector.linear_2.weight");
  auto network = std::make_shared<const LlavaNetwork>(config, frozen_source(weights, device, dtype));
  weights.finish();
  auto tokenizer = load_tokenizer(folder, config.text.vocabulary);
  return std::make_shared<Llava>(std::move(network), std::move(tokenizer),
                                 ImageProcessor::from_folder(folder));
}

}  // namespace hijack
