#include "models/families/gemma3.h"

#include <nlohmann/json.hpp>

#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/reply_rules.h"
#include "models/families/decoder_language_model.h"
#include "models/families/llava.h"
#include "models/families/processor_match.h"
#include "src/base/error.h"

namespace hijack {

using nlohmann::json;

Gemma3Config Gemma3Config::from_json(const json& root) {
  const ConfigReader read(root, "root");
  Gemma3Config config;
  config.vision =
      VisionConfig::from_json(read.part("vision_config", {{"model_type", "siglip_vision_model"}}));
  config.vision.post_norm = true;
  if (config.vision.class_token)
    throw Error("config.json: the tower of a gemma3 must be siglip_vision_model");
  const json text = read.part("text_config", {{"model_type", "gemma3_text"}});
  if (const auto type = ConfigReader(text, "text_config").text("model_type", {}); type != "gemma3_text")
    throw Error("config.json: the decoder of a gemma3 must be gemma3_text, not " + type.substr(0, 50));
  config.text = DecoderConfig::from_json(text, true);
  config.text.tied_head = read.flag("tie_word_embeddings", true);
  const auto token = [&](const std::string& name, TokenId otherwise) {
    const std::string id = name + "_id", index = name + "_index";
    return read.integer(id.c_str(), read.integer(index.c_str(), otherwise));
  };
  config.image_token = token("image_token", config.image_token);
  config.begin_token = token("boi_token", config.begin_token);
  config.end_token = token("eoi_token", config.end_token);
  // as transformers computes it: the whole part of each root and quotient
  const int64_t tokens = read.integer("mm_tokens_per_image", 256);
  const auto side = static_cast<int64_t>(std::sqrt(static_cast<double>(tokens)));
  config.pooled = config.vision.image_size / config.vision.patch_size / side;
  if (config.pooled < 1)
    throw Error("config.json: mm_tokens_per_image " + std::to_string(tokens) +
                " is more than the tower has patches");
  return config;
}

int64_t Gemma3Config::image_tokens() const {
  const int64_t side = vision.image_size / vision.patch_size / pooled;
  return side * side;
}

Gemma3Network::Gemma3Network(const Gemma3Config& c, const ParameterSource& source)
    : config(c),
      tower(c.vision, source, "vision_tower", c.vision.layers),
      norm(source, "multi_modal_projector.mm_soft_emb_norm", c.vision.width, c.vision.epsilon,
           /*add_one=*/true),
      decoder(
          std::make_shared<const Decoder>(c.text, source, "language_model.model", "language_model.lm_head")) {
  projector =
      Linear(source("multi_modal_projector.mm_input_projection_weight", {c.vision.width, c.text.width}).t(),
             {}, source.autocast);
}

Tensor Gemma3Network::image_features(const Tensor& pixels) const {
  const int64_t side = config.vision.image_size / config.vision.patch_size;
  const Tensor grid = tower.forward(pixels).transpose(1, 2).unflatten(2, {side, side});  // [N,C,rows,columns]
  const Tensor pooled = at::avg_pool2d(grid.contiguous(), config.pooled, config.pooled);
  return projector(norm(pooled.flatten(2).transpose(1, 2)));
}

Gemma3::Gemma3(std::shared_ptr<const Gemma3Network> network, std::shared_ptr<const Tokenizer> tokenizer,
               const ImageProcessor& processor, ReplyRules rules, std::shared_ptr<const ChatTemplate> chat)
    : OneSizeModel(processor, network->decoder, std::move(tokenizer), network->config.image_token,
                   std::move(rules), std::move(chat)),
      network_(std::move(network)) {}

Tensor Gemma3::image_features(const Pixels& pixels) const {
  return network_->image_features(pixels.values);
}

TowerActivations Gemma3::tower_activations(const Pixels& pixels) const {
  const VisionConfig& vision = network_->config.vision;
  return TowerActivations::of(vision.layers, pixels.values.size(0) * vision.patches(), vision.width,
                              vision.mlp_width);
}

TokenIds Gemma3::image_ids(const Pixels&) const {
  return TokenIds(static_cast<size_t>(network_->config.image_tokens()), image_token());
}

Prompt Gemma3::prompt(const Pixels& pixels, const Query& query) const {
  Prompt prompt = OneSizeModel::prompt(pixels, query);
  prompt.blocks = {
      {static_cast<int64_t>(prompt.image_places.front()), static_cast<int64_t>(prompt.image_end())}};
  return prompt;
}

namespace {

/// What the processor writes for the image that the template asks for: the template's mark, one token of
/// features (which becomes many) and the end, on lines of their own.
ImageText image_text(const Gemma3Config& config, const Tokenizer& tokenizer) {
  const auto text_of = [&](TokenId id) {
    if (id >= tokenizer.vocabulary_size())
      throw Error("config.json: token " + std::to_string(id) +
                  " of the image is not in tokenizer.json; the files do not belong together");
    return tokenizer.id_to_token(id);
  };
  const std::string begin = text_of(config.begin_token);
  return {begin, "\n\n" + begin + text_of(config.image_token) + text_of(config.end_token) + "\n\n"};
}

}  // namespace

std::shared_ptr<const VisionLanguageModel> load_gemma3(const std::filesystem::path& folder, const json& root,
                                                       at::Device device, at::ScalarType dtype) {
  Gemma3Config config = Gemma3Config::from_json(root);
  const ImageProcessor processor = ImageProcessor::from_folder(folder);
  check_view(folder, config.vision, processor.output_height(), processor.output_width());
  check_image_tokens(folder, processor_number(processor_settings(folder), "image_seq_length").value_or(256),
                     config.image_tokens());
  Weights weights(folder);
  weights.rename([](const std::string& stored) {
    const std::string name = canonical_llava_name(stored);  // the same schemes
    return name.starts_with("vision_tower.head.") ? std::string() : name;
  });
  settle_tied_head(weights, "language_model.model", "language_model.lm_head", config.text);
  auto network = std::make_shared<const Gemma3Network>(config, frozen_source(weights, device, dtype));
  weights.finish();
  auto tokenizer = load_tokenizer(folder, config.text.vocabulary);
  auto chat = ChatTemplate::of_folder(folder, kGemma3Template, image_text(config, *tokenizer));
  return std::make_shared<Gemma3>(std::move(network), std::move(tokenizer), processor,
                                  reply_rules(folder, root, class_stops("gemma3_text")), std::move(chat));
}

}  // namespace hijack
