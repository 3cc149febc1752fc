#include "models/families/idefics3.h"

#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/reply_rules.h"
#include "models/families/processor_match.h"
#include "src/base/error.h"

namespace hijack {

Idefics3Config Idefics3Config::from_json(const nlohmann::json& root) {
  const ConfigReader read(root, "root");
  Idefics3Config config;
  nlohmann::json vision = read.has("vision_config") ? read.raw("vision_config") : nlohmann::json::object();
  // whatever the file calls it ("idefics3", "siglip", nothing): the family has one kind of tower
  if (vision.is_object()) vision["model_type"] = "idefics3_vision";
  config.vision = VisionConfig::from_json(vision);
  const bool tied = read.flag("tie_word_embeddings", false);
  config.text = DecoderConfig::from_json(
      read.has("text_config") ? read.raw("text_config") : nlohmann::json::object({{"rms_norm_eps", 1e-5}}),
      tied);
  config.text.tied_head = config.text.tied_head || tied;
  config.image_token = read.integer("image_token_id", 128257);
  config.scale_factor = read.integer("scale_factor", 2);
  if (config.scale_factor > 1024) throw Error("config.json: scale_factor must be in 1..1024");
  return config;
}

int64_t Idefics3Config::tokens_per_view(int64_t side) const {
  const int64_t patches = side / vision.patch_size;
  if (patches < 1 || patches % scale_factor != 0)
    throw Error("views of " + std::to_string(side) + " pixels have " + std::to_string(patches) +
                " patches a side, which scale_factor " + std::to_string(scale_factor) +
                " of config.json does not divide; check max_image_size of the image processor");
  return (patches / scale_factor) * (patches / scale_factor);
}

Idefics3Network::Idefics3Network(const Idefics3Config& c, const ParameterSource& source)
    : config(c),
      tower(c.vision, source, "model.vision_model", c.vision.layers),
      projection(source, "model.connector.modality_projection.proj",
                 c.vision.width * c.scale_factor * c.scale_factor, c.text.width, /*with_bias=*/false),
      decoder(std::make_shared<const Decoder>(c.text, source, "model.text_model", "lm_head")) {}

Tensor Idefics3Network::image_features(const Tensor& pixels) const {
  const Tensor x = tower.forward(pixels);  // [views, n*n, D_vision]
  return projection(merge_patches(x, config.scale_factor).flatten(0, 1).unsqueeze(0));
}

Idefics3::Idefics3(std::string family, std::shared_ptr<const Idefics3Network> network,
                   std::shared_ptr<const Tokenizer> tokenizer, const TileProcessor& processor,
                   ReplyRules rules, std::shared_ptr<const ChatTemplate> chat)
    : ImagePromptModel(network->decoder, std::move(tokenizer), network->config.image_token, std::move(rules),
                       std::move(chat)),
      family_(std::move(family)),
      network_(std::move(network)),
      processor_(processor) {
  network_->config.tokens_per_view(processor_.tile);  // checks
}

ImageSpec Idefics3::image_spec() const {
  const auto grid = processor_.grid(processor_.tile, processor_.tile);
  return {std::max<int64_t>(grid.rows, 1) * processor_.tile,
          std::max<int64_t>(grid.columns, 1) * processor_.tile};
}

Tensor Idefics3::to_input_space(const Tensor& image) const {
  const at::NoGradGuard no_gradients;
  return processor_.resized(image);
}

Pixels Idefics3::preprocess(const Tensor& image) const {
  const Tensor views = processor_.views(processor_.resized(image));
  return {processor_.normalize(views).to(device()), image.size(2), image.size(3)};
}

Tensor Idefics3::image_features(const Pixels& pixels) const {
  return network_->image_features(pixels.values);
}

TowerActivations Idefics3::tower_activations(const Pixels& pixels) const {
  const VisionConfig& vision = network_->config.vision;
  const int64_t side = processor_.tile / vision.patch_size;
  return TowerActivations::of(vision.layers, pixels.values.size(0) * side * side, vision.width,
                              vision.mlp_width);
}

std::shared_ptr<const VisionLanguageModel> Idefics3::with_one_view() const {
  auto one = std::make_shared<Idefics3>(*this);
  one->processor_.split = false;
  return one;
}

TokenIds Idefics3::end_of_reply() const {
  const auto end = tokenizer().token_to_id("<end_of_utterance>");
  return end ? TokenIds{*end} : ImagePromptModel::end_of_reply();
}

TokenIds Idefics3::image_ids(const Pixels& pixels) const {
  std::string tokens;
  for (int64_t i = 0; i < network_->config.tokens_per_view(processor_.tile); ++i) tokens += "<image>";
  const auto grid = processor_.grid(pixels.image_height, pixels.image_width);
  std::string text;
  for (int64_t row = 1; row <= grid.rows; ++row) {
    for (int64_t column = 1; column <= grid.columns; ++column)
      text += "<fake_token_around_image><row_" + std::to_string(row) + "_col_" + std::to_string(column) +
              ">" + tokens;
    text += "\n";
  }
  if (grid.rows > 0) text += "\n";
  return tokenizer().encode(
      text + "<fake_token_around_image><global-img>" + tokens + "<fake_token_around_image>",
      /*add_special_tokens=*/false);
}

std::shared_ptr<const VisionLanguageModel> load_idefics3(const std::filesystem::path& folder,
                                                         const nlohmann::json& json, at::Device device,
                                                         at::ScalarType dtype) {
  Idefics3Config config = Idefics3Config::from_json(json);
  const auto processor = TileProcessor::from_folder(folder);
  check_image_tokens(folder, processor_number(processor_settings(folder), "image_seq_len"),
                     config.tokens_per_view(processor.tile));
  Weights weights(folder);
  weights.rename([](const std::string& stored) {
    const bool buffer = stored.ends_with(".position_ids") || stored.ends_with("rotary_emb.inv_freq");
    return buffer ? std::string() : stored;
  });
  settle_tied_head(weights, "model.text_model", "lm_head", config.text);
  auto network = std::make_shared<const Idefics3Network>(config, frozen_source(weights, device, dtype));
  weights.finish();
  auto tokenizer = load_tokenizer(folder, config.text.vocabulary);
  for (const char* token : {"<image>", "<fake_token_around_image>"})
    if (!tokenizer->token_to_id(token))
      throw Error(folder.string() + ": tokenizer.json lacks the token " + token + " of this family");
  // LlamaConfig's own end token where no file names one
  return std::make_shared<Idefics3>(json.at("model_type").get<std::string>(), std::move(network),
                                    std::move(tokenizer), processor, reply_rules(folder, json, {2}),
                                    ChatTemplate::of_folder(folder, kSmolVlmTemplate));
}

}  // namespace hijack
