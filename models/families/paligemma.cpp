#include "models/families/paligemma.h"

#include <nlohmann/json.hpp>

#include "models/chat_template/named_token.h"
#include "models/chat_template/render_plain.h"
#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/reply_rules.h"
#include "models/families/decoder_language_model.h"
#include "models/families/llava.h"
#include "models/families/processor_match.h"
#include "models/preprocess/processor_config.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {

using nlohmann::json;

PaliGemmaConfig PaliGemmaConfig::from_json(const json& root) {
  const ConfigReader read(root, "root");
  PaliGemmaConfig config;
  const json vision = read.part("vision_config", {{"model_type", "siglip_vision_model"},
                                                  {"intermediate_size", 4096},
                                                  {"hidden_size", 1152},
                                                  {"patch_size", 14},
                                                  {"image_size", 224},
                                                  {"num_hidden_layers", 27},
                                                  {"num_attention_heads", 16}});
  const json text = read.part("text_config", {{"model_type", "gemma"},
                                              {"hidden_size", 2048},
                                              {"num_hidden_layers", 18},
                                              {"intermediate_size", 16384},
                                              {"num_attention_heads", 8},
                                              {"num_key_value_heads", 1},
                                              {"vocab_size", 257152}});
  config.vision = VisionConfig::from_json(vision);
  config.vision.post_norm = true;
  if (config.vision.class_token)
    throw Error("config.json: the tower of a paligemma must be siglip_vision_model");
  const auto type = ConfigReader(text, "text_config").text("model_type", {});
  if (type != "gemma" && type != "gemma2")
    throw Error("config.json: the decoder of a paligemma must be gemma or gemma2, not " + type.substr(0, 50));
  config.text = DecoderConfig::from_json(text, true);
  config.text.read_logit_cap(text);
  config.text.blocks_leave_window = true;
  config.text.tied_head = read.flag("tie_word_embeddings", true);
  config.image_token = read.has("image_token_id") ? read.integer("image_token_id", {})
                                                  : read.integer("image_token_index", config.image_token);
  if (read.integer("projection_dim", 2048) != config.text.width)
    throw Error("config.json: projection_dim must be the decoder's hidden_size of " +
                std::to_string(config.text.width));
  return config;
}

PaliGemmaNetwork::PaliGemmaNetwork(const PaliGemmaConfig& c, const ParameterSource& source)
    : config(c),
      tower(c.vision, source, "vision_tower", c.vision.layers),
      projector(source, "multi_modal_projector.linear", c.vision.width, c.text.width, /*with_bias=*/true),
      decoder(std::make_shared<const Decoder>(c.text, source, "language_model.model",
                                              "language_model.lm_head")) {}

Tensor PaliGemmaNetwork::image_features(const Tensor& pixels) const {
  return projector(tower.forward(pixels));
}

PaliGemma::PaliGemma(std::shared_ptr<const PaliGemmaNetwork> network,
                     std::shared_ptr<const Tokenizer> tokenizer, const ImageProcessor& processor,
                     ReplyRules rules, std::string begin)
    : OneSizeModel(processor, network->decoder, std::move(tokenizer), network->config.image_token,
                   std::move(rules)),
      network_(std::move(network)),
      begin_(std::move(begin)) {}

Tensor PaliGemma::image_features(const Pixels& pixels) const {
  return network_->image_features(pixels.values);
}

TowerActivations PaliGemma::tower_activations(const Pixels& pixels) const {
  const VisionConfig& vision = network_->config.vision;
  return TowerActivations::of(vision.layers, pixels.values.size(0) * vision.patches(), vision.width,
                              vision.mlp_width);
}

RenderedPrompt PaliGemma::render(const Query& query, bool with_image) const {
  const std::string text = render_plain(query) + "\n";
  // the begin token is in the text, after the image: the processor turns the tokenizer's own off
  if (with_image) return {"<image>" + begin_ + text, /*add_special_tokens=*/false};
  return {tokenizer().encode("", true).empty() ? begin_ + text : text};
}

TokenIds PaliGemma::image_ids(const Pixels&) const {
  return TokenIds(static_cast<size_t>(network_->config.vision.patches()), image_token());
}

Prompt PaliGemma::prompt(const Pixels& pixels, const Query& query) const {
  const RenderedPrompt text = render(query, /*with_image=*/true);
  const TokenIds ids = tokenizer().encode(text.text, text.add_special_tokens);
  Prompt prompt = expand_image(ids, image_token(), image_ids(pixels));
  prompt.positions = at::arange(1, static_cast<int64_t>(prompt.ids.size()) + 1, at::kLong).unsqueeze(0);
  prompt.blocks = {{0, static_cast<int64_t>(prompt.ids.size())}};
  return prompt;
}

namespace {

/// bos_token of tokenizer_config.json.
std::string begin_token(const std::filesystem::path& folder) {
  const auto file = folder / "tokenizer_config.json";
  if (!std::filesystem::is_regular_file(file)) return "<bos>";
  return named_token(read_json(file), "bos_token").value_or("<bos>");
}

}  // namespace

std::shared_ptr<const VisionLanguageModel> load_paligemma(const std::filesystem::path& folder,
                                                          const json& root, at::Device device,
                                                          at::ScalarType dtype) {
  PaliGemmaConfig config = PaliGemmaConfig::from_json(root);
  const ImageProcessor processor = ImageProcessor::from_folder(folder);
  check_view(folder, config.vision, processor.output_height(), processor.output_width());
  check_image_tokens(folder, processor_number(processor_json(folder).first, "image_seq_length"),
                     config.vision.patches());
  Weights weights(folder);
  weights.rename([](const std::string& stored) {
    const std::string name = canonical_llava_name(stored);  // the same three schemes
    return name.starts_with("vision_tower.head.") ? std::string() : name;
  });
  settle_tied_head(weights, "language_model.model", "language_model.lm_head", config.text);
  auto network = std::make_shared<const PaliGemmaNetwork>(config, frozen_source(weights, device, dtype));
  weights.finish();
  // the processor adds <loc0000> ... to small tokenizers, so more tokens than embeddings are no error
  auto tokenizer = Tokenizer::from_file(folder / "tokenizer.json");
  return std::make_shared<PaliGemma>(std::move(network), std::move(tokenizer), processor,
                                     reply_rules(folder, root, class_stops("gemma")), begin_token(folder));
}

}  // namespace hijack
