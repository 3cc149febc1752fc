#include "models/families/qwen2_vl.h"

#include <cmath>

#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/reply_rules.h"
#include "src/base/error.h"

namespace hijack {

Qwen2VlConfig Qwen2VlConfig::from_json(const nlohmann::json& root) {
  const ConfigReader read(root, "root");
  Qwen2VlConfig config;
  config.vision = Qwen2VlVisionConfig::from_json(read.has("vision_config") ? read.raw("vision_config")
                                                                           : nlohmann::json::object());
  nlohmann::json text = read.has("text_config") ? read.raw("text_config") : root;
  const auto type = ConfigReader(text, "text_config").text("model_type", "qwen2_vl_text");
  if (type != "qwen2_vl_text" && type != "qwen2_vl")
    throw Error("decoder \"" + type + "\" is not supported for qwen2_vl; qwen2_vl_text is");
  text["model_type"] = "qwen2_vl_text";
  config.text = DecoderConfig::from_json(text, false);
  // true in either place
  config.text.tied_head = config.text.tied_head || read.flag("tie_word_embeddings", false);
  config.image_token = read.integer("image_token_id", config.image_token);
  if (config.vision.output_width != config.text.width)
    throw Error("config.json: vision_config.hidden_size must be the decoder's hidden_size of " +
                std::to_string(config.text.width));
  return config;
}

Qwen2VlNetwork::Qwen2VlNetwork(const Qwen2VlConfig& c, const ParameterSource& source)
    : config(c),
      tower(c.vision, source, "model.visual"),
      decoder(std::make_shared<const Decoder>(c.text, source, "model.language_model", "lm_head")) {}

Qwen2Vl::Qwen2Vl(std::shared_ptr<const Qwen2VlNetwork> network, std::shared_ptr<const Tokenizer> tokenizer,
                 const PatchProcessor& processor, ReplyRules rules, std::shared_ptr<const ChatTemplate> chat)
    : ImagePromptModel(network->decoder, std::move(tokenizer), network->config.image_token, std::move(rules),
                       std::move(chat)),
      network_(std::move(network)),
      processor_(processor) {}

ImageSpec Qwen2Vl::image_spec() const {
  constexpr double kSide = 448;
  const auto factor = static_cast<double>(processor_.patch * processor_.merge);
  const auto side = static_cast<int64_t>(std::max(1.0, std::nearbyint(kSide / factor)) * factor);
  const auto size = processor_.resized_size(side, side);
  return {size.height, size.width};
}

Tensor Qwen2Vl::to_input_space(const Tensor& image) const {
  const at::NoGradGuard no_gradients;
  Tensor result = processor_.resized(image);
  // where a thin image meets the limits, the model would resize its own result again
  constexpr int kMost = 8;
  for (int i = 0; i < kMost; ++i) {
    const auto size = processor_.resized_size(result.size(2), result.size(3));
    if (size.height == result.size(2) && size.width == result.size(3)) break;
    result = processor_.resized(result);
  }
  return result;
}

Pixels Qwen2Vl::preprocess(const Tensor& image) const {
  const Tensor values = processor_.patches(processor_.normalize(processor_.resized(image)));
  return {values.to(device()), image.size(2), image.size(3)};
}

PatchProcessor::Size Qwen2Vl::grid(const Pixels& pixels) const {
  const auto size = processor_.resized_size(pixels.image_height, pixels.image_width);
  return {size.height / processor_.patch, size.width / processor_.patch};
}

Tensor Qwen2Vl::image_features(const Pixels& pixels) const {
  const auto [rows, columns] = grid(pixels);
  return network_->tower.forward(pixels.values, rows, columns);
}

TowerActivations Qwen2Vl::tower_activations(const Pixels& pixels) const {
  const Qwen2VlVisionConfig& vision = network_->config.vision;
  return TowerActivations::of(vision.layers, pixels.values.size(0), vision.width, vision.mlp_width);
}

std::shared_ptr<const VisionLanguageModel> Qwen2Vl::with_max_pixels(int64_t pixels) const {
  auto smaller = std::make_shared<Qwen2Vl>(*this);
  smaller->processor_ = processor_.capped(pixels);
  return smaller;
}

TokenIds Qwen2Vl::image_ids(const Pixels& pixels) const {
  const auto [rows, columns] = grid(pixels);
  const int64_t tokens = rows * columns / (processor_.merge * processor_.merge);
  return TokenIds(static_cast<size_t>(tokens), image_token());
}

Prompt Qwen2Vl::prompt(const Pixels& pixels, const Query& query) const {
  Prompt prompt = ImagePromptModel::prompt(pixels, query);
  const auto [rows, columns] = grid(pixels);
  prompt.positions = mrope_positions(static_cast<int64_t>(prompt.ids.size()),
                                     static_cast<int64_t>(prompt.image_places.front()),
                                     rows / processor_.merge, columns / processor_.merge);
  return prompt;
}

Tensor mrope_positions(int64_t tokens, int64_t image, int64_t rows, int64_t columns) {
  const int64_t rest = tokens - image - rows * columns, next = image + std::max(rows, columns);
  TORCH_CHECK(image >= 0 && rest >= 0, "the image does not fit the prompt");
  const auto grid = [&](const Tensor& offsets) {
    return (offsets + image).expand({rows, columns}).flatten();
  };
  const Tensor down = at::arange(rows, at::kLong).unsqueeze(1), across = at::arange(columns, at::kLong);
  const Tensor inside = at::stack({grid(at::zeros({1}, at::kLong)), grid(down), grid(across)});
  return at::cat({at::arange(image, at::kLong).expand({3, image}), inside,
                  at::arange(next, next + rest, at::kLong).expand({3, rest})},
                 1);
}

std::string canonical_qwen2_vl_name(const std::string& stored) {
  if (stored.ends_with("rotary_emb.inv_freq") || stored.ends_with("rotary_pos_emb.inv_freq")) return "";
  if (stored.starts_with("visual.")) return "model." + stored;
  const bool newer = stored.starts_with("model.visual.") || stored.starts_with("model.language_model.");
  const std::string old = "model.";
  return stored.starts_with(old) && !newer ? "model.language_model." + stored.substr(old.size()) : stored;
}

namespace {

std::string three(int64_t a, int64_t b, int64_t c) {
  return std::to_string(a) + ", " + std::to_string(b) + " and " + std::to_string(c);
}

}  // namespace

std::shared_ptr<const VisionLanguageModel> load_qwen2_vl(const std::filesystem::path& folder,
                                                         const nlohmann::json& json, at::Device device,
                                                         at::ScalarType dtype) {
  Qwen2VlConfig config = Qwen2VlConfig::from_json(json);
  const PatchProcessor processor = PatchProcessor::from_folder(folder);
  const auto& vision = config.vision;
  if (processor.patch != vision.patch || processor.merge != vision.merge ||
      processor.temporal != vision.temporal)
    throw Error(
        folder.string() + ": patch_size, merge_size and temporal_patch_size are " +
        three(processor.patch, processor.merge, processor.temporal) + " in the image processor, but " +
        three(vision.patch, vision.merge, vision.temporal) +
        " in vision_config of config.json; the files do not belong together: copy them from one model's "
        "page");
  Weights weights(folder);
  weights.rename(canonical_qwen2_vl_name);
  settle_tied_head(weights, "model.language_model", "lm_head", config.text);
  auto network = std::make_shared<const Qwen2VlNetwork>(config, frozen_source(weights, device, dtype));
  weights.finish();
  auto tokenizer = load_tokenizer(folder, config.text.vocabulary);
  return std::make_shared<Qwen2Vl>(std::move(network), std::move(tokenizer), processor,
                                   reply_rules(folder, json, {151645}),
                                   ChatTemplate::of_folder(folder, kQwen2VlTemplate));
}

}  // namespace hijack
