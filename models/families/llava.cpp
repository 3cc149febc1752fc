#include "models/families/llava.h"

#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/reply_rules.h"
#include "models/families/decoder_language_model.h"
#include "models/families/processor_match.h"
#include "models/families/tower_folder.h"
#include "src/base/error.h"

namespace hijack {

namespace {

using nlohmann::json;

/// A layer as Python indexes hidden states -> the number of blocks before it.
int64_t after_blocks(int64_t layer, const VisionConfig& vision) {
  return layer < 0 ? vision.layers + 1 + layer : layer;
}

std::vector<int64_t> read_feature_layers(const ConfigReader& read) {
  if (!read.has("vision_feature_layer")) return {-2};
  const json& value = read.raw("vision_feature_layer");
  std::vector<int64_t> layers;
  for (const json& layer : value.is_array() ? value : json::array({value})) {
    if (!layer.is_number_integer() || layers.size() >= 64)
      throw Error("config.json: vision_feature_layer must be a whole number or a list of up to 64 of them");
    layers.push_back(layer.get<int64_t>());
  }
  if (layers.empty()) throw Error("config.json: vision_feature_layer must not be an empty list");
  return layers;
}

/// What LlavaConfig assumes where the whole part is missing; what a part itself leaves out has the default of
/// its own class.
json default_vision() {
  return {{"model_type", "clip_vision_model"},
          {"intermediate_size", 4096},
          {"hidden_size", 1024},
          {"patch_size", 14},
          {"image_size", 336},
          {"num_hidden_layers", 24},
          {"num_attention_heads", 16}};
}

}  // namespace

LlavaConfig LlavaConfig::from_json(const json& root) {
  const ConfigReader read(root, "root");
  LlavaConfig config;
  config.vision =
      VisionConfig::from_json(read.has("vision_config") ? read.raw("vision_config") : default_vision());
  const bool tied = read.flag("tie_word_embeddings", false);
  config.text = DecoderConfig::from_json(read.has("text_config") ? read.raw("text_config") : json::object(),
                                         std::nullopt);
  config.text.tied_head = config.text.tied_head || tied;  // true in either place, or by the text's class
  config.image_token = read.has("image_token_id") ? read.integer("image_token_id", {})
                                                  : read.integer("image_token_index", 32000);
  config.feature_layers = read_feature_layers(read);
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
  int64_t most = 0;
  for (const int64_t layer : feature_layers) {
    if (layer < -vision.layers - 1 || layer > vision.layers)
      throw Error("config.json: vision_feature_layer " + std::to_string(layer) + " is outside a tower of " +
                  std::to_string(vision.layers) + " layers");
    most = std::max(most, after_blocks(layer, vision));
  }
  return most;
}

int64_t LlavaConfig::image_tokens() const {
  // "default" drops the first token whatever it is, "full" keeps all
  return vision.patches() + (vision.class_token ? 1 : 0) - (keep_class_token ? 0 : 1);
}

LlavaNetwork::LlavaNetwork(const LlavaConfig& c, const ParameterSource& source)
    : LlavaNetwork(
          c, source,
          std::make_shared<const Decoder>(c.text, source, "language_model.model", "language_model.lm_head")) {
}

LlavaNetwork::LlavaNetwork(const LlavaConfig& c, const ParameterSource& source,
                           std::shared_ptr<const Decoder> behind)
    : config(c), tower(c.vision, source, "vision_tower", c.vision_layers_used()), decoder(std::move(behind)) {
  const int64_t width = c.text.width;
  const auto layers = static_cast<int64_t>(c.feature_layers.size());
  project1 =
      Linear(source, "multi_modal_projector.linear_1", c.vision.width * layers, width, c.projector_bias);
  if (!c.linear_projector)
    project2 = Linear(source, "multi_modal_projector.linear_2", width, width, c.projector_bias);
}

Tensor LlavaNetwork::image_features(const Tensor& pixels) const {
  std::vector<int64_t> blocks;
  for (const int64_t layer : config.feature_layers) blocks.push_back(after_blocks(layer, config.vision));
  Tensor x = at::cat(tower.forward(pixels, blocks), -1);
  if (!config.keep_class_token) x = x.narrow(1, 1, x.size(1) - 1);
  x = project1(x);
  return config.linear_projector ? x : project2(activate(config.projector_activation, x));
}

Llava::Llava(std::shared_ptr<const LlavaNetwork> network, std::shared_ptr<const Tokenizer> tokenizer,
             const ImageProcessor& processor, ReplyRules rules, std::shared_ptr<const ChatTemplate> chat,
             std::string image_text)
    : OneSizeModel(processor, network->decoder, std::move(tokenizer), network->config.image_token,
                   std::move(rules), std::move(chat), std::move(image_text)),
      network_(std::move(network)) {}

Tensor Llava::image_features(const Pixels& pixels) const {
  return network_->image_features(pixels.values);
}

TowerActivations Llava::tower_activations(const Pixels& pixels) const {
  const LlavaConfig& config = network_->config;
  const int64_t tokens = config.vision.patches() + (config.vision.class_token ? 1 : 0);
  return TowerActivations::of(config.vision_layers_used(), pixels.values.size(0) * tokens,
                              config.vision.width, config.vision.mlp_width);
}

TokenIds Llava::image_ids(const Pixels&) const {
  return TokenIds(static_cast<size_t>(network_->config.image_tokens()), image_token());
}

std::string llava_text_type(const json& root) {
  const ConfigReader read(root, "root");
  const json text = read.has("text_config") ? read.raw("text_config") : json::object();
  return ConfigReader(text, "text_config").text("model_type", "llama");
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
  if (name == "model.image_newline") return "image_newline";
  if (name.ends_with(".position_ids") || name.ends_with("rotary_emb.inv_freq")) return "";
  return name;
}

std::string llava_projector_name(const std::string& stored) {
  // one linear layer, or a sequence whose middle part is the activation
  static const std::pair<std::string, std::string> kNames[] = {
      {"model.mm_projector.0.", "linear_1."},        {"mm_projector.0.", "linear_1."},
      {"model.mm_projector.2.", "linear_2."},        {"mm_projector.2.", "linear_2."},
      {"model.mm_projector.", "linear_1."},          {"mm_projector.", "linear_1."},
      {"multi_modal_projector.linear.", "linear_1."}};
  for (const auto& [from, to] : kNames)
    if (stored.starts_with(from)) return "multi_modal_projector." + to + stored.substr(from.size());
  return stored;
}

LlavaFiles LlavaFiles::read(const std::filesystem::path& folder, const json& root, const TowerFolder* tower,
                            const PublishedTemplate& published) {
  LlavaFiles files{.folder = folder,
                   .weights = Weights(folder),
                   .rules = reply_rules(folder, root, class_stops(llava_text_type(root))),
                   .chat = ChatTemplate::of_folder(folder, published)};
  files.weights.rename(
      [](const std::string& stored) { return llava_projector_name(canonical_llava_name(stored)); });
  if (tower) tower->put_into(files.weights, "vision_tower");
  return files;
}

std::shared_ptr<const Tokenizer> LlavaFiles::settle(LlavaConfig& config) {
  weights.rename([&](const std::string& name) {
    return beyond_features(name, "vision_tower", config.vision_layers_used()) ? std::string() : name;
  });
  settle_tied_head(weights, "language_model.model", "language_model.lm_head", config.text);
  auto tokenizer = load_tokenizer(folder, config.text.vocabulary);
  if (const auto known = image_text.empty() ? std::nullopt : tokenizer->token_to_id(image_text)) {
    config.image_token = *known;
    image_text.clear();
  }
  return tokenizer;
}

std::shared_ptr<const VisionLanguageModel> load_llava_parts(LlavaConfig config,
                                                            const ImageProcessor& processor, LlavaFiles files,
                                                            at::Device device, at::ScalarType dtype) {
  auto tokenizer = files.settle(config);
  config.linear_projector = !files.weights.has("multi_modal_projector.linear_2.weight");
  auto network = std::make_shared<const LlavaNetwork>(config, frozen_source(files.weights, device, dtype));
  files.weights.finish();
  return std::make_shared<Llava>(std::move(network), std::move(tokenizer), processor, files.rules, files.chat,
                                 files.image_text);
}

std::shared_ptr<const VisionLanguageModel> load_llava(const std::filesystem::path& folder, const json& given,
                                                      at::Device device, at::ScalarType dtype,
                                                      const TowerFolder* tower) {
  const json root = tower ? tower->put_into(given) : given;
  const LlavaConfig config = LlavaConfig::from_json(root);
  const ImageProcessor own = ImageProcessor::from_folder(folder);
  ImageProcessor processor = tower ? tower->processor() : own;
  processor.pad_to_square = own.pad_to_square;
  check_view(folder, config.vision, processor.output_height(), processor.output_width());
  if (!tower)
    check_image_tokens(folder, room_for_view(folder, own.output_height(), own.output_width()),
                       config.image_tokens());
  return load_llava_parts(config, processor, LlavaFiles::read(folder, root, tower, kLlavaTemplate), device,
                          dtype);
}

}  // namespace hijack
