#include "models/families/instructblip.h"

#include "models/chat_template/render_plain.h"
#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/reply_rules.h"
#include "models/families/processor_match.h"
#include "src/base/error.h"
#include "src/base/upload.h"

namespace hijack {
namespace {

using nlohmann::json;

constexpr const char* kQuestionTokenizer = "qformer_tokenizer";

DecoderConfig read_vicuna(const ConfigReader& read) {
  const json text = read.has("text_config") ? read.raw("text_config") : json({{"model_type", "opt"}});
  const auto type = ConfigReader(text, "text_config").text("model_type", "opt");
  if (type == "t5")
    throw Error(
        "config.json: an instructblip over t5 (Flan-T5) is not supported, since its decoder sees the prompt "
        "through an encoder; use a folder over Vicuna");
  if (type != "llama")
    throw Error("config.json: the decoder of an instructblip must be llama (Vicuna), not \"" +
                type.substr(0, 100) + "\"");
  return DecoderConfig::from_json(text, std::nullopt);
}

VisionConfig read_eva(const ConfigReader& read) {
  json vision = read.has("vision_config") ? read.raw("vision_config") : json::object();
  // whatever the file calls it: the family has one kind of tower
  if (vision.is_object()) vision["model_type"] = "instructblip_vision_model";
  return VisionConfig::from_json(vision);
}

}  // namespace

InstructBlipConfig InstructBlipConfig::from_json(const json& root) {
  const ConfigReader read(root, "root");
  InstructBlipConfig config;
  config.text = read_vicuna(read);
  config.vision = read_eva(read);
  config.qformer = QFormerConfig::from_json(
      read.has("qformer_config") ? read.raw("qformer_config") : json::object(), config.vision.width);
  config.queries = read.integer("num_query_tokens", config.queries);
  for (const char* key : {"image_token_id", "image_token_index"})
    if (read.has(key)) config.image_token = read.integer(key, {});
  return config;
}

InstructBlipNetwork::InstructBlipNetwork(const InstructBlipConfig& c, const ParameterSource& source)
    : config(c),
      tower(c.vision, source, "vision_model", c.vision.layers),
      queries(source("query_tokens", {1, c.queries, c.qformer.width})),
      qformer(c.qformer, source, "qformer"),
      projection(source, "language_projection", c.qformer.width, c.text.width, /*with_bias=*/true),
      decoder(std::make_shared<const Decoder>(c.text, source, "language_model.model",
                                              "language_model.lm_head")) {}

Tensor InstructBlipNetwork::seen(const Tensor& pixels) const {
  return tower.forward(pixels);
}

Tensor InstructBlipNetwork::image_features(const Tensor& seen, const Tensor& question) const {
  return projection(qformer.forward(queries, question, seen));
}

InstructBlip::InstructBlip(std::shared_ptr<const InstructBlipNetwork> network,
                           std::shared_ptr<const Tokenizer> tokenizer,
                           std::shared_ptr<const Tokenizer> question_tokenizer,
                           const ImageProcessor& processor, TokenId image_token, ReplyRules rules)
    : OneSizeModel(processor, network->decoder, std::move(tokenizer), image_token, std::move(rules)),
      network_(std::move(network)),
      question_tokenizer_(std::move(question_tokenizer)) {}

Tensor InstructBlip::seen(const Pixels& pixels) const {
  return network_->seen(pixels.values);
}

Tensor InstructBlip::features_for(const Tensor& seen, const Query& query) const {
  const TokenIds ids = question_tokenizer_->encode(render_plain(query), /*add_special_tokens=*/true);
  return network_->image_features(seen, constant_ids(ids, device()));
}

Tensor InstructBlip::image_features(const Pixels& pixels) const {
  return features_for(seen(pixels), {});
}

TowerActivations InstructBlip::tower_activations(const Pixels& pixels) const {
  const VisionConfig& vision = network_->config.vision;
  return TowerActivations::of(vision.layers, pixels.values.size(0) * (vision.patches() + 1), vision.width,
                              vision.mlp_width);
}

RenderedPrompt InstructBlip::render(const Query& query, bool) const {
  return {render_plain(query)};
}

TokenIds InstructBlip::image_ids(const Pixels&) const {
  return TokenIds(static_cast<size_t>(network_->config.queries), image_token());
}

Prompt InstructBlip::prompt(const Pixels& pixels, const Query& query) const {
  const RenderedPrompt text = render(query, /*with_image=*/true);
  TokenIds ids = tokenizer().encode(text.text, text.add_special_tokens);
  if (std::count(ids.begin(), ids.end(), image_token()) > 0)
    throw Error("a prompt must not contain the image token itself; remove it from the text");
  ids.insert(ids.begin(), image_token());
  return expand_image(ids, image_token(), image_ids(pixels));
}

namespace {

/// The tokenizer of questions; throws Error where the folder has none, or one of another vocabulary.
std::shared_ptr<const Tokenizer> load_question_tokenizer(const std::filesystem::path& folder,
                                                         int64_t vocabulary) {
  const auto file = folder / kQuestionTokenizer / "tokenizer.json";
  if (!std::filesystem::is_regular_file(file))
    throw Error(folder.string() + " lacks " + kQuestionTokenizer +
                "/tokenizer.json, with which the Q-Former reads the question; copy it from the model's page");
  auto tokenizer = Tokenizer::from_file(file);
  if (tokenizer->vocabulary_size() > vocabulary)
    throw Error(file.string() + " has more tokens than the Q-Former's vocabulary of " +
                std::to_string(vocabulary));
  return tokenizer;
}

}  // namespace

std::shared_ptr<const VisionLanguageModel> load_instructblip(const std::filesystem::path& folder,
                                                             const json& root, at::Device device,
                                                             at::ScalarType dtype) {
  InstructBlipConfig config = InstructBlipConfig::from_json(root);
  const ImageProcessor processor = ImageProcessor::from_folder(folder);
  check_view(folder, config.vision, processor.output_height(), processor.output_width());
  check_image_tokens(folder, processor_number(processor_settings(folder), "num_query_tokens"),
                     config.queries);
  auto question_tokenizer = load_question_tokenizer(folder, config.qformer.vocabulary);
  Weights weights(folder);
  weights.rename([](const std::string& stored) {
    const bool buffer = stored.ends_with(".position_ids") || stored.ends_with("rotary_emb.inv_freq");
    return buffer ? std::string() : stored;
  });
  settle_tied_head(weights, "language_model.model", "language_model.lm_head", config.text);
  auto network = std::make_shared<const InstructBlipNetwork>(config, frozen_source(weights, device, dtype));
  weights.finish();
  auto tokenizer = Tokenizer::from_file(folder / "tokenizer.json");
  // what the processor gives a token that it adds to a tokenizer without one
  const TokenId image =
      config.image_token.value_or(tokenizer->token_to_id("<image>").value_or(tokenizer->vocabulary_size()));
  // transformers generates with the decoder's own rules, whatever the folder's generation_config.json says
  return std::make_shared<InstructBlip>(std::move(network), std::move(tokenizer),
                                        std::move(question_tokenizer), processor, image,
                                        decoder_reply_rules(root.at("text_config"), {2}));
}

}  // namespace hijack
