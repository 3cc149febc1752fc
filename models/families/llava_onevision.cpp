#include "models/families/llava_onevision.h"

#include <cmath>

#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/reply_rules.h"
#include "models/families/processor_match.h"
#include "src/base/error.h"

namespace hijack {
namespace {

using Size = AnyresProcessor::Size;

/// The root of config.json with this family's class defaults where they differ from LLaVA's.
nlohmann::json with_defaults(nlohmann::json root) {
  const auto set = [](nlohmann::json& object, const char* key, const nlohmann::json& value) {
    if (!object.contains(key) || object[key].is_null()) object[key] = value;
  };
  set(root, "vision_feature_layer", -1);
  set(root, "vision_feature_select_strategy", "full");
  if (!root.contains("image_token_id")) set(root, "image_token_index", 151646);
  set(root, "vision_config",
      {{"hidden_size", 1152},
       {"intermediate_size", 4304},
       {"patch_size", 14},
       {"image_size", 384},
       {"num_hidden_layers", 26},
       {"num_attention_heads", 16}});
  set(root, "text_config", nlohmann::json::object());
  if (root["vision_config"].is_object()) set(root["vision_config"], "model_type", "siglip_vision_model");
  if (root["text_config"].is_object()) set(root["text_config"], "model_type", "qwen2");
  return root;
}

/// "anyres_max_9" -> 9.
int64_t read_max_views(const std::string& text) {
  const std::string start = "anyres_max_";
  const std::string digits = text.starts_with(start) ? text.substr(start.size()) : "";
  if (digits.empty() || digits.size() > 4 || digits.find_first_not_of("0123456789") != digits.npos ||
      std::stoll(digits) < 1)
    throw Error("config.json: vision_aspect_ratio \"" + text.substr(0, 100) +
                "\" is not supported; anyres_max_9 and its like are");
  return std::stoll(digits);
}

/// Python's int(round(x, 7)) for x >= 0.
int64_t nearly_truncated(double x) {
  return static_cast<int64_t>(std::floor(x + 5e-8));
}

/// Python's int(a // b) for floats, whose remainder is exact.
int64_t floor_division(double a, double b) {
  return static_cast<int64_t>(std::round((a - std::fmod(a, b)) / b));
}

}  // namespace

LlavaOnevisionConfig LlavaOnevisionConfig::from_json(const nlohmann::json& root) {
  const ConfigReader read(root, "root");
  LlavaOnevisionConfig config;
  config.llava = LlavaConfig::from_json(with_defaults(root));
  const bool tied = read.flag("tie_word_embeddings", false);
  config.llava.text.tied_head = config.llava.text.tied_head || tied;
  const int64_t tile = config.llava.vision.image_size;
  config.resolutions = read.has("image_grid_pinpoints")
                           ? read_resolutions(read.raw("image_grid_pinpoints"), tile, "config.json")
                           : default_resolutions(tile, "config.json");
  config.max_views = read_max_views(read.text("vision_aspect_ratio", "anyres_max_9"));
  const int64_t side = config.patches_per_side();
  if (config.llava.image_tokens() != side * side)
    throw Error(
        "config.json: vision_feature_select_strategy must drop the class token of a tower that has one, and "
        "nothing of one that has none");
  return config;
}

LlavaOnevisionConfig::Layout LlavaOnevisionConfig::layout(const Size& image) const {
  const Size pixels = select_resolution(resolutions, image);
  const int64_t tile = llava.vision.image_size, side = patches_per_side();
  Layout result;
  const Size filled{pixels.height / tile * side, pixels.width / tile * side};
  const auto height = static_cast<double>(image.height), width = static_cast<double>(image.width);
  const auto rows = static_cast<double>(filled.height), columns = static_cast<double>(filled.width);
  result.filled = result.unpadded = filled;
  if (width / height > columns / rows) {
    result.top = (filled.height - nearly_truncated(height * (columns / width))) / 2;
    result.unpadded.height -= 2 * result.top;
  } else {
    result.left = (filled.width - nearly_truncated(width * (rows / height))) / 2;
    result.unpadded.width -= 2 * result.left;
  }
  result.scaled = result.unpadded;
  const double scale = std::sqrt(static_cast<double>(result.unpadded.height * result.unpadded.width) /
                                 static_cast<double>(max_views * side * side));
  if (scale <= 1.1) return result;  // which may be no column at all, only the ends of its rows
  result.scaled = {floor_division(static_cast<double>(result.unpadded.height), scale),
                   floor_division(static_cast<double>(result.unpadded.width), scale)};
  if (result.scaled.height < 1 || result.scaled.width < 1)
    throw Error("an image of " + std::to_string(image.width) + "x" + std::to_string(image.height) +
                " pixels is too long and thin for this model; crop it first");
  return result;
}

LlavaOnevisionNetwork::LlavaOnevisionNetwork(const LlavaOnevisionConfig& c, const ParameterSource& source)
    : config(c), llava(c.llava, source), newline(source("image_newline", {c.llava.text.width})) {}

Tensor LlavaOnevisionNetwork::image_features(const Tensor& pixels, const Size& image) const {
  const Tensor views = llava.image_features(pixels);  // [1 + tiles, n*n, D]
  const Tensor whole = views[0];
  const Tensor end = newline.to(views.scalar_type()).unsqueeze(0);  // [1,D]
  if (views.size(0) == 1) return at::cat({whole, end}, 0).unsqueeze(0);
  const auto layout = config.layout(image);
  const int64_t side = config.patches_per_side(), rows = layout.filled.height / side;
  Tensor picture = views.narrow(0, 1, views.size(0) - 1)
                       .reshape({rows, -1, side, side, views.size(2)})
                       .permute({4, 0, 2, 1, 3})
                       .flatten(1, 2)
                       .flatten(2, 3)  // [D, rows*n, columns*n]
                       .narrow(1, layout.top, layout.unpadded.height)
                       .narrow(2, layout.left, layout.unpadded.width);
  if (!(layout.scaled == layout.unpadded))
    picture = at::upsample_bilinear2d(picture.unsqueeze(0), {layout.scaled.height, layout.scaled.width},
                                      /*align_corners=*/false)
                  .squeeze(0);
  const Tensor ends = end.t().unsqueeze(1).expand({-1, layout.scaled.height, 1});  // [D,h,1]
  const Tensor lines = at::cat({picture, ends}, 2).flatten(1, 2).transpose(0, 1);
  return at::cat({whole, lines}, 0).unsqueeze(0);
}

LlavaOnevision::LlavaOnevision(std::shared_ptr<const LlavaOnevisionNetwork> network,
                               std::shared_ptr<const Tokenizer> tokenizer, const AnyresProcessor& processor,
                               ReplyRules rules, std::shared_ptr<const ChatTemplate> chat)
    : ImagePromptModel(network->llava.decoder, std::move(tokenizer), network->config.llava.image_token,
                       std::move(rules), std::move(chat)),
      network_(std::move(network)),
      processor_(processor) {
  TORCH_CHECK(processor_.tile == network_->config.llava.vision.image_size, "see check_view");
}

ImageSpec LlavaOnevision::image_spec() const {
  const Size size = processor_.fitted({processor_.tile, processor_.tile});
  return {size.height, size.width};
}

Tensor LlavaOnevision::to_input_space(const Tensor& image) const {
  const at::NoGradGuard no_gradients;
  return processor_.fit(image);
}

Pixels LlavaOnevision::preprocess(const Tensor& image) const {
  const Size size{image.size(2), image.size(3)};
  if (!processor_.one_view &&
      !(processor_.best_resolution(size) == select_resolution(network_->config.resolutions, size)))
    throw Error(
        "image_grid_pinpoints of the image processor and of config.json differ in what fits this image; the "
        "files do not belong together");
  return {processor_.normalize(processor_.views(image)).to(device()), image.size(2), image.size(3)};
}

Tensor LlavaOnevision::image_features(const Pixels& pixels) const {
  return network_->image_features(pixels.values, {pixels.image_height, pixels.image_width});
}

TowerActivations LlavaOnevision::tower_activations(const Pixels& pixels) const {
  const LlavaConfig& config = network_->config.llava;
  const int64_t tokens = config.vision.patches() + (config.vision.class_token ? 1 : 0);
  return TowerActivations::of(config.vision_layers_used(), pixels.values.size(0) * tokens,
                              config.vision.width, config.vision.mlp_width);
}

std::shared_ptr<const VisionLanguageModel> LlavaOnevision::with_one_view() const {
  if (!processor_.resizes || !processor_.normalizes)
    throw Error("one view needs do_resize and do_normalize of the image processor; leave --views at all");
  auto one = std::make_shared<LlavaOnevision>(*this);
  one->processor_.one_view = true;
  return one;
}

TokenIds LlavaOnevision::end_of_reply() const {
  const auto end = tokenizer().token_to_id("<|im_end|>");
  return end ? TokenIds{*end} : ImagePromptModel::end_of_reply();
}

TokenIds LlavaOnevision::image_ids(const Pixels& pixels) const {
  int64_t count = network_->config.llava.image_tokens();
  if (processor_.one_view || (pixels.values.defined() && pixels.values.size(0) == 1)) {
    ++count;
  } else {
    const auto layout = network_->config.layout({pixels.image_height, pixels.image_width});
    count += layout.scaled.height * (layout.scaled.width + 1);
  }
  return TokenIds(static_cast<size_t>(count), image_token());
}

std::shared_ptr<const VisionLanguageModel> load_llava_onevision(const std::filesystem::path& folder,
                                                                const nlohmann::json& json, at::Device device,
                                                                at::ScalarType dtype) {
  LlavaOnevisionConfig config = LlavaOnevisionConfig::from_json(json);
  const auto processor = AnyresProcessor::from_folder(folder);
  check_view(folder, config.llava.vision, processor.tile, processor.tile);
  check_image_tokens(folder, processor_number(processor_settings(folder), "num_image_tokens"),
                     config.llava.image_tokens());
  Weights weights(folder);
  weights.rename([&](const std::string& stored) {
    if (stored == "model.image_newline") return std::string("image_newline");
    const std::string name = canonical_llava_name(stored);
    return beyond_features(name, "vision_tower", config.llava.vision_layers_used()) ? std::string() : name;
  });
  settle_tied_head(weights, "language_model.model", "language_model.lm_head", config.llava.text);
  auto network = std::make_shared<const LlavaOnevisionNetwork>(config, frozen_source(weights, device, dtype));
  weights.finish();
  auto tokenizer = load_tokenizer(folder, config.llava.text.vocabulary);
  return std::make_shared<LlavaOnevision>(std::move(network), std::move(tokenizer), processor,
                                          reply_rules(folder, json),
                                          ChatTemplate::of_folder(folder, kLlavaOnevisionTemplate));
}

}  // namespace hijack
