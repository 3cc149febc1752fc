#include "models/families/mistral3.h"

#include <nlohmann/json.hpp>

#include "models/chat_template/named_token.h"
#include "models/chat_template/template_file.h"
#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/reply_rules.h"
#include "models/families/decoder_language_model.h"
#include "models/families/llava.h"
#include "models/families/processor_match.h"
#include "models/preprocess/processor_config.h"
#include "models/preprocess/stable_size.h"
#include "src/base/error.h"

namespace hijack {
namespace {

using nlohmann::json;

json default_mistral3_text() {
  return {{"model_type", "mistral"},
          {"head_dim", 128},
          {"hidden_size", 5120},
          {"intermediate_size", 32768},
          {"max_position_embeddings", 131072},
          {"num_hidden_layers", 40},
          {"rms_norm_eps", 1e-5},
          {"rope_theta", 1e9},
          {"sliding_window", nullptr},
          {"vocab_size", 131072}};
}

/// The number of blocks before the one feature layer.
int64_t blocks_before(const ConfigReader& read, int64_t layers) {
  if (!read.has("vision_feature_layer")) return layers;
  const json& value = read.raw("vision_feature_layer");
  if (!value.is_number_integer())
    throw Error("config.json: vision_feature_layer of a mistral3 must be one whole number");
  const auto layer = value.get<int64_t>();
  if (layer < -layers - 1 || layer > layers)
    throw Error("config.json: vision_feature_layer " + std::to_string(layer) + " is outside a tower of " +
                std::to_string(layers) + " layers");
  return layer < 0 ? layers + 1 + layer : layer;
}

}  // namespace

Mistral3Config Mistral3Config::from_json(const json& root) {
  const ConfigReader read(root, "root");
  Mistral3Config config;
  config.vision = PixtralVisionConfig::from_json(
      read.part("vision_config", {{"model_type", "pixtral"}, {"patch_size", 14}}));
  const json text = read.part("text_config", default_mistral3_text());
  if (const auto type = ConfigReader(text, "text_config").text("model_type", {}); type != "mistral")
    throw Error("config.json: the decoder of a mistral3 must be mistral, not " + type.substr(0, 50));
  const bool tied = read.flag("tie_word_embeddings", true);
  config.text = DecoderConfig::from_json(text, tied);
  config.text.tied_head = config.text.tied_head || tied;  // true in either place
  config.image_token = read.integer("image_token_id", read.integer("image_token_index", config.image_token));
  config.merge = read.integer("spatial_merge_size", config.merge);
  if (config.merge > 64) throw Error("config.json: spatial_merge_size is too large");
  config.layers_used = blocks_before(read, config.vision.layers);
  config.projector_bias = read.flag("multimodal_projector_bias", false);
  config.projector_activation = activation_from_name(read.text("projector_hidden_act", "gelu"));
  return config;
}

Mistral3Network::Mistral3Network(const Mistral3Config& c, const ParameterSource& source)
    : config(c),
      tower(c.vision, source, "vision_tower", c.layers_used),
      norm(source, "multi_modal_projector.norm", c.vision.width, c.text.epsilon),
      merger(source, "multi_modal_projector.patch_merger.merging_layer", c.vision.width * c.merge * c.merge,
             c.vision.width, /*with_bias=*/false),
      project1(source, "multi_modal_projector.linear_1", c.vision.width, c.text.width, c.projector_bias),
      project2(source, "multi_modal_projector.linear_2", c.text.width, c.text.width, c.projector_bias),
      decoder(std::make_shared<const Decoder>(c.text, source, "language_model.model",
                                              "language_model.lm_head")) {}

Tensor Mistral3Network::image_features(const Tensor& pixels) const {
  const int64_t merge = config.merge, rows = pixels.size(2) / config.vision.patch / merge;
  const int64_t columns = pixels.size(3) / config.vision.patch / merge;
  const Tensor merged = norm(tower.forward(pixels))
                            .reshape({-1, rows, merge, columns, merge, config.vision.width})
                            .permute({0, 1, 3, 5, 2, 4})  // all places of a channel after each other
                            .reshape({pixels.size(0), rows * columns, -1});
  return project2(activate(config.projector_activation, project1(merger(merged))));
}

Mistral3::Mistral3(std::shared_ptr<const Mistral3Network> network, std::shared_ptr<const Tokenizer> tokenizer,
                   const PixtralProcessor& processor, ReplyRules rules,
                   std::shared_ptr<const ChatTemplate> chat, TokenId row_end, TokenId image_end)
    : ImagePromptModel(network->decoder, std::move(tokenizer), network->config.image_token, std::move(rules),
                       std::move(chat)),
      network_(std::move(network)),
      processor_(processor),
      row_end_(row_end),
      image_end_(image_end) {}

ImageSpec Mistral3::image_spec() const {
  constexpr int64_t kSide = 448;
  const auto size = processor_.resized_size(kSide, kSide);
  return {size.height, size.width};
}

Tensor Mistral3::to_input_space(const Tensor& image) const {
  return resized_to_stay(processor_, image);
}

Pixels Mistral3::preprocess(const Tensor& image) const {
  return {processor_.normalize(processor_.resized(image)).to(device()), image.size(2), image.size(3)};
}

Tensor Mistral3::image_features(const Pixels& pixels) const {
  return network_->image_features(pixels.values);
}

TowerActivations Mistral3::tower_activations(const Pixels& pixels) const {
  const PixtralVisionConfig& vision = network_->config.vision;
  const int64_t patches = pixels.values.size(2) * pixels.values.size(3) / (vision.patch * vision.patch);
  return TowerActivations::of(network_->config.layers_used, patches, vision.width, vision.mlp_width);
}

TokenIds Mistral3::image_ids(const Pixels& pixels) const {
  const int64_t rows = pixels.values.size(2) / processor_.tile,
                columns = pixels.values.size(3) / processor_.tile;
  TokenIds ids;
  for (int64_t row = 0; row < rows; ++row) {
    ids.insert(ids.end(), static_cast<size_t>(columns), image_token());
    ids.push_back(row + 1 < rows ? row_end_ : image_end_);
  }
  return ids;
}

namespace {

/// A token that processor_config.json may name.
TokenId written_token(const std::filesystem::path& folder, const json& settings, const Tokenizer& tokenizer,
                      const char* key, const char* otherwise) {
  const std::string token = named_token(settings, key).value_or(otherwise);
  if (const auto id = tokenizer.token_to_id(token)) return *id;
  throw Error(folder.string() + ": tokenizer.json has no token " + token.substr(0, 50) +
              ", which the processor writes for an image; the files do not belong together");
}

}  // namespace

std::shared_ptr<const VisionLanguageModel> load_mistral3(const std::filesystem::path& folder,
                                                         const json& root, at::Device device,
                                                         at::ScalarType dtype) {
  Mistral3Config config = Mistral3Config::from_json(root);
  const json settings = processor_settings(folder);
  const int64_t patch = processor_number(settings, "patch_size").value_or(16);
  const int64_t merge = processor_number(settings, "spatial_merge_size").value_or(1);
  if (patch != config.vision.patch || merge != config.merge)
    throw Error(folder.string() + ": patch_size and spatial_merge_size are " + std::to_string(patch) +
                " and " + std::to_string(merge) + " in processor_config.json, but " +
                std::to_string(config.vision.patch) + " and " + std::to_string(config.merge) +
                " in config.json; the files do not belong together: copy them from one model's page");
  const auto [image_json, where] = processor_json(folder);
  const auto processor = PixtralProcessor::from_json(image_json, where, patch * merge);
  if (chat_template(folder).file.empty())
    throw Error(folder.string() +
                " has no chat template, and Mistral 3 has no published one that fits all; "
                "copy chat_template.jinja or chat_template.json from the model's page");
  Weights weights(folder);
  weights.rename([&](const std::string& stored) {
    const std::string name = canonical_llava_name(stored), layers = "vision_tower.transformer.layers.";
    const bool beyond =
        name.starts_with(layers) && std::atoll(name.c_str() + layers.size()) >= config.layers_used;
    return beyond ? std::string() : name;
  });
  settle_tied_head(weights, "language_model.model", "language_model.lm_head", config.text);
  auto network = std::make_shared<const Mistral3Network>(config, frozen_source(weights, device, dtype));
  weights.finish();
  auto tokenizer = load_tokenizer(folder, config.text.vocabulary);
  const TokenId row_end = written_token(folder, settings, *tokenizer, "image_break_token", "[IMG_BREAK]");
  const TokenId image_end = written_token(folder, settings, *tokenizer, "image_end_token", "[IMG_END]");
  return std::make_shared<Mistral3>(std::move(network), std::move(tokenizer), processor,
                                    reply_rules(folder, root, class_stops("mistral")),
                                    ChatTemplate::of_folder(folder, kMistralTemplate), row_end, image_end);
}

}  // namespace hijack
