#include "models/families/internvl.h"

#include "models/chat_template/named_token.h"
#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/reply_rules.h"
#include "models/families/decoder_language_model.h"
#include "models/families/llava.h"
#include "models/families/processor_match.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {
namespace {

using nlohmann::json;

/// A part of config.json, whose model_type is `type` where it says none.
json part_of_type(const ConfigReader& read, const char* key, const char* type) {
  json part = read.has(key) ? read.raw(key) : json::object();
  if (part.is_object() && !part.contains("model_type")) part["model_type"] = type;
  return part;
}

std::string text_type(const json& root) {
  const ConfigReader read(root, "root");
  return part_of_type(read, "text_config", "qwen2").value("model_type", "");
}

VisionConfig read_internvit(const ConfigReader& read) {
  const json vision = part_of_type(read, "vision_config", "internvl_vision");
  if (vision.is_object() && vision["model_type"] != "internvl_vision")
    throw Error("config.json: the tower of an internvl must be internvl_vision, not " +
                vision["model_type"].dump().substr(0, 50));
  return VisionConfig::from_json(vision);
}

int64_t read_feature_blocks(const ConfigReader& read, int64_t layers) {
  if (!read.has("vision_feature_layer")) return layers;
  const json& value = read.raw("vision_feature_layer");
  const int64_t layer = value.is_number_integer() ? value.get<int64_t>() : layers + 1;
  if (layer < -layers - 1 || layer > layers)
    throw Error("config.json: vision_feature_layer must be one whole number that a tower of " +
                std::to_string(layers) + " layers has, not " + value.dump().substr(0, 50));
  return layer < 0 ? layers + 1 + layer : layer;
}

/// 0.5 -> 2.
int64_t read_merge(const ConfigReader& read) {
  const double ratio = read.number("downsample_ratio", 0.5);
  const double merge = ratio > 0 ? std::round(1 / ratio) : 0;
  if (!(merge >= 1 && merge <= 1024 && std::abs(ratio * merge - 1) < 1e-6))
    throw Error("config.json: downsample_ratio must be 1 / n for a whole number n, as 0.5 is");
  return static_cast<int64_t>(merge);
}

}  // namespace

InternVlConfig InternVlConfig::from_json(const json& root) {
  const ConfigReader read(root, "root");
  InternVlConfig config;
  config.vision = read_internvit(read);
  config.feature_blocks = read_feature_blocks(read, config.vision.layers);
  // the norm after the blocks belongs to the last hidden state only
  const bool last = !read.has("vision_feature_layer") || read.raw("vision_feature_layer") == -1;
  config.vision.post_norm = config.vision.post_norm && last;
  config.text = DecoderConfig::from_json(part_of_type(read, "text_config", "qwen2"), false);
  config.text.tied_head = read.flag("tie_word_embeddings", true);  // that of text_config says nothing
  config.image_token = read.integer("image_token_id", config.image_token);
  config.merge = read_merge(read);
  const auto strategy = read.text("vision_feature_select_strategy", "default");
  if (strategy != "default")
    throw Error("config.json: vision_feature_select_strategy \"" + strategy.substr(0, 100) +
                "\" is not supported; only default is, which leaves out the class token");
  config.projector_activation = activation_from_name(read.text("projector_hidden_act", "gelu"));
  config.tokens_per_view();  // checks
  return config;
}

int64_t InternVlConfig::tokens_per_view() const {
  const int64_t patches = vision.image_size / vision.patch_size;
  if (patches % merge != 0)
    throw Error("config.json: a view of " + std::to_string(vision.image_size) + " pixels has " +
                std::to_string(patches) + " patches a side, which downsample_ratio 1/" +
                std::to_string(merge) + " does not divide");
  return (patches / merge) * (patches / merge);
}

InternVlNetwork::InternVlNetwork(const InternVlConfig& c, const ParameterSource& source)
    : config(c), tower(c.vision, source, "vision_tower", c.feature_blocks) {
  const int64_t merged = c.vision.width * c.merge * c.merge;
  norm = LayerNorm(source, "multi_modal_projector.layer_norm", merged, /*eps=*/1e-5);
  project1 = Linear(source, "multi_modal_projector.linear_1", merged, c.text.width, /*with_bias=*/true);
  project2 = Linear(source, "multi_modal_projector.linear_2", c.text.width, c.text.width, /*with_bias=*/true);
  decoder = std::make_shared<const Decoder>(c.text, source, "language_model.model", "language_model.lm_head");
}

Tensor InternVlNetwork::image_features(const Tensor& pixels) const {
  const Tensor x = tower.forward(pixels);
  const Tensor merged = merge_patches(x.narrow(1, 1, x.size(1) - 1), config.merge);  // without class token
  return project2(activate(config.projector_activation, project1(norm(merged)))).flatten(0, 1).unsqueeze(0);
}

InternVl::InternVl(std::shared_ptr<const InternVlNetwork> network, std::shared_ptr<const Tokenizer> tokenizer,
                   const GotOcr2Processor& processor, ReplyRules rules,
                   std::shared_ptr<const ChatTemplate> chat, TokenId begin, TokenId end)
    : ImagePromptModel(network->decoder, std::move(tokenizer), network->config.image_token, std::move(rules),
                       std::move(chat)),
      network_(std::move(network)),
      processor_(processor),
      begin_(begin),
      end_(end) {}

ImageSpec InternVl::image_spec() const {
  const auto grid = processor_.grid(processor_.height, processor_.width);
  return {grid.rows * processor_.height, grid.columns * processor_.width};
}

Tensor InternVl::to_input_space(const Tensor& image) const {
  const at::NoGradGuard no_gradients;
  return processor_.resized(image);
}

Pixels InternVl::preprocess(const Tensor& image) const {
  return {processor_.normalize(processor_.views(image)).to(device()), image.size(2), image.size(3)};
}

Tensor InternVl::image_features(const Pixels& pixels) const {
  return network_->image_features(pixels.values);
}

TowerActivations InternVl::tower_activations(const Pixels& pixels) const {
  const VisionConfig& vision = network_->config.vision;
  return TowerActivations::of(network_->config.feature_blocks, pixels.values.size(0) * (vision.patches() + 1),
                              vision.width, vision.mlp_width);
}

std::shared_ptr<const VisionLanguageModel> InternVl::with_one_view() const {
  if (!processor_.do_resize)
    throw Error("one view needs do_resize of the image processor; leave --views at all");
  auto one = std::make_shared<InternVl>(*this);
  one->processor_.min_tiles = one->processor_.max_tiles = 1;
  return one;
}

TokenIds InternVl::end_of_reply() const {
  const auto end = tokenizer().token_to_id("<|im_end|>");
  return end ? TokenIds{*end} : ImagePromptModel::end_of_reply();
}

TokenIds InternVl::image_ids(const Pixels& pixels) const {
  const int64_t views = processor_.grid(pixels.image_height, pixels.image_width).views();
  TokenIds ids(static_cast<size_t>(views * network_->config.tokens_per_view()) + 2, image_token());
  ids.front() = begin_;
  ids.back() = end_;
  return ids;
}

namespace {

/// The id of a token that tokenizer_config.json names under `key`, itself or in extra_special_tokens.
TokenId image_mark(const std::filesystem::path& folder, const Tokenizer& tokenizer, const char* key,
                   const std::string& otherwise) {
  std::string name = otherwise;
  if (const auto file = folder / "tokenizer_config.json"; std::filesystem::is_regular_file(file)) {
    const json config = read_json(file);
    const json extra = config.is_object() ? config.value("extra_special_tokens", json()) : json();
    name = named_token(config, key).value_or(named_token(extra, key).value_or(otherwise));
  }
  const auto id = tokenizer.token_to_id(name);
  if (!id)
    throw Error(folder.string() + ": tokenizer.json lacks the token " + name.substr(0, 100) +
                " of this family (" + key + ")");
  return *id;
}

/// Of any layout, as this code calls it; "" for what is never run.
std::string internvl_name(const std::string& stored, const InternVlConfig& config) {
  const std::string name = canonical_llava_name(stored);  // the same three schemes
  const bool kept = config.vision.post_norm && name.starts_with("vision_tower.layernorm.");
  return !kept && beyond_features(name, "vision_tower", config.feature_blocks) ? std::string() : name;
}

}  // namespace

std::shared_ptr<const VisionLanguageModel> load_internvl(const std::filesystem::path& folder,
                                                         const json& root, at::Device device,
                                                         at::ScalarType dtype) {
  InternVlConfig config = InternVlConfig::from_json(root);
  const auto processor = GotOcr2Processor::from_folder(folder);
  check_view(folder, config.vision, processor.height, processor.width);
  check_image_tokens(folder, processor_number(processor_settings(folder), "image_seq_length"),
                     config.tokens_per_view());
  Weights weights(folder);
  weights.rename([&](const std::string& stored) { return internvl_name(stored, config); });
  settle_tied_head(weights, "language_model.model", "language_model.lm_head", config.text);
  auto network = std::make_shared<const InternVlNetwork>(config, frozen_source(weights, device, dtype));
  weights.finish();
  auto tokenizer = load_tokenizer(folder, config.text.vocabulary);
  const TokenId begin = image_mark(folder, *tokenizer, "start_image_token", "<img>");
  const TokenId end = image_mark(folder, *tokenizer, "end_image_token", "</img>");
  return std::make_shared<InternVl>(std::move(network), std::move(tokenizer), processor,
                                    reply_rules(folder, root, class_stops(text_type(root))),
                                    ChatTemplate::of_folder(folder, kInternVlTemplate), begin, end);
}

}  // namespace hijack
