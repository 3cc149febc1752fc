#include "models/families/qwen_vl.h"

#include <cmath>

#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/reply_rules.h"
#include "models/preprocess/stable_size.h"
#include "src/base/error.h"

namespace hijack {

QwenVlConfig QwenVlConfig::from_json(const nlohmann::json& root, const QwenVlGeneration& generation) {
  const ConfigReader read(root, "root");
  QwenVlConfig config;
  config.vision =
      generation.vision(read.has("vision_config") ? read.raw("vision_config") : nlohmann::json::object());
  const std::string family = generation.family, text_type = generation.text_type;
  nlohmann::json text = read.has("text_config") ? read.raw("text_config") : root;
  const auto type = ConfigReader(text, "text_config").text("model_type", text_type);
  if (type != text_type && type != family)
    throw Error("decoder \"" + type.substr(0, 100) + "\" is not supported for " + family + "; " + text_type +
                " is");
  text["model_type"] = text_type;
  config.text = DecoderConfig::from_json(text, false);
  // true in either place
  config.text.tied_head = config.text.tied_head || read.flag("tie_word_embeddings", false);
  config.image_token = read.integer("image_token_id", config.image_token);
  if (config.vision.output_width != config.text.width)
    throw Error(
        "config.json: the vision tower gives the decoder vectors of " +
        std::to_string(config.vision.output_width) +
        " numbers (hidden_size or out_hidden_size of vision_config), but the decoder's hidden_size is " +
        std::to_string(config.text.width));
  return config;
}

QwenVlNetwork::QwenVlNetwork(const QwenVlConfig& c, const ParameterSource& source)
    : config(c),
      tower(c.vision, source, "model.visual"),
      decoder(std::make_shared<const Decoder>(c.text, source, "model.language_model", "lm_head")) {}

QwenVl::QwenVl(std::string family, std::shared_ptr<const QwenVlNetwork> network,
               std::shared_ptr<const Tokenizer> tokenizer, const PatchProcessor& processor, ReplyRules rules,
               std::shared_ptr<const ChatTemplate> chat)
    : ImagePromptModel(network->decoder, std::move(tokenizer), network->config.image_token, std::move(rules),
                       std::move(chat)),
      family_(std::move(family)),
      network_(std::move(network)),
      processor_(processor) {}

ImageSpec QwenVl::image_spec() const {
  constexpr double kSide = 448;
  const auto factor = static_cast<double>(processor_.patch * processor_.merge);
  const auto side = static_cast<int64_t>(std::max(1.0, std::nearbyint(kSide / factor)) * factor);
  const auto size = processor_.resized_size(side, side);
  return {size.height, size.width};
}

Tensor QwenVl::to_input_space(const Tensor& image) const {
  return resized_to_stay(processor_, image);
}

Pixels QwenVl::preprocess(const Tensor& image) const {
  const Tensor values = processor_.patches(processor_.normalize(processor_.resized(image)));
  return {values.to(device()), image.size(2), image.size(3)};
}

PatchProcessor::Size QwenVl::grid(const Pixels& pixels) const {
  const auto size = processor_.resized_size(pixels.image_height, pixels.image_width);
  return {size.height / processor_.patch, size.width / processor_.patch};
}

Tensor QwenVl::image_features(const Pixels& pixels) const {
  return seen(pixels).narrow(0, 0, 1);
}

Tensor QwenVl::seen(const Pixels& pixels) const {
  const auto [rows, columns] = grid(pixels);
  return network_->tower.forward(pixels.values.unsqueeze(0), rows, columns).squeeze(0);
}

std::vector<Tensor> QwenVl::seen_of(std::span<const Pixels> images) const {
  std::map<std::pair<int64_t, int64_t>, std::vector<size_t>> of_grid;
  for (size_t i = 0; i < images.size(); ++i) {
    const auto [rows, columns] = grid(images[i]);
    of_grid[{rows, columns}].push_back(i);
  }
  std::vector<Tensor> all(images.size());
  for (const auto& [size, members] : of_grid) {
    std::vector<Tensor> values;
    for (const size_t i : members) values.push_back(images[i].values);
    const auto seen = network_->tower.forward(at::stack(values), size.first, size.second).unbind(0);
    for (size_t k = 0; k < members.size(); ++k) all[members[k]] = seen[k];
  }
  return all;
}

TowerActivations QwenVl::tower_activations(const Pixels& pixels) const {
  const QwenVlVisionConfig& vision = network_->config.vision;
  const int64_t patches = pixels.values.size(0), side = vision.window * vision.merge;
  const auto whole = static_cast<int64_t>(std::count_if(
      vision.whole_blocks.begin(), vision.whole_blocks.end(), [&](int64_t i) { return i < vision.layers; }));
  const int64_t seen =
      side == 0
          ? patches
          : (whole * patches + (vision.layers - whole) * std::min(side * side, patches)) / vision.layers;
  return TowerActivations::of(vision.layers, patches, vision.width, vision.mlp_width, seen);
}

std::shared_ptr<const VisionLanguageModel> QwenVl::with_max_pixels(int64_t pixels) const {
  auto smaller = std::make_shared<QwenVl>(*this);
  smaller->processor_ = processor_.capped(pixels);
  return smaller;
}

TokenIds QwenVl::image_ids(const Pixels& pixels) const {
  const auto [rows, columns] = grid(pixels);
  const int64_t tokens = rows * columns / (processor_.merge * processor_.merge);
  return TokenIds(static_cast<size_t>(tokens), image_token());
}

Prompt QwenVl::prompt(const Pixels& pixels, const Query& query) const {
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

std::string canonical_qwen_vl_name(const std::string& stored) {
  if (stored.ends_with("rotary_emb.inv_freq") || stored.ends_with("rotary_pos_emb.inv_freq")) return "";
  std::string name = stored;
  const bool newer = stored.starts_with("model.visual.") || stored.starts_with("model.language_model.");
  if (stored.starts_with("visual.")) name = "model." + stored;
  if (stored.starts_with("model.") && !newer) name = "model.language_model." + stored.substr(6);
  if (!name.starts_with("model.visual.")) return name;
  static const std::pair<std::string, std::string> kLayers[] = {{".merger.ln_q.", ".merger.norm."},
                                                                {".merger.mlp.0.", ".merger.fc1."},
                                                                {".merger.mlp.2.", ".merger.fc2."},
                                                                {".linear_fc1.", ".fc1."},
                                                                {".linear_fc2.", ".fc2."}};
  for (const auto& [from, to] : kLayers)
    if (const size_t at = name.find(from); at != std::string::npos) name.replace(at, from.size(), to);
  return name;
}

namespace {

std::string three(int64_t a, int64_t b, int64_t c) {
  return std::to_string(a) + ", " + std::to_string(b) + " and " + std::to_string(c);
}

}  // namespace

std::shared_ptr<const VisionLanguageModel> load_qwen_vl(const std::filesystem::path& folder,
                                                        const nlohmann::json& json,
                                                        const QwenVlGeneration& generation, at::Device device,
                                                        at::ScalarType dtype) {
  QwenVlConfig config = QwenVlConfig::from_json(json, generation);
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
  weights.rename(canonical_qwen_vl_name);
  settle_tied_head(weights, "model.language_model", "lm_head", config.text);
  auto network = std::make_shared<const QwenVlNetwork>(config, frozen_source(weights, device, dtype));
  weights.finish();
  auto tokenizer = load_tokenizer(folder, config.text.vocabulary);
  return std::make_shared<QwenVl>(generation.family, std::move(network), std::move(tokenizer), processor,
                                  reply_rules(folder, json, {151645}),
                                  ChatTemplate::of_folder(folder, generation.published));
}

}  // namespace hijack
