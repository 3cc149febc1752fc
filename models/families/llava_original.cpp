#include "models/families/llava_original.h"

#include "models/checkpoint/config_json.h"
#include "models/checkpoint/reply_rules.h"
#include "models/families/anyres_model.h"
#include "models/families/decoder_language_model.h"
#include "models/families/processor_match.h"
#include "models/families/tower_folder.h"
#include "src/base/error.h"
#include "src/base/json.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr TokenId kImageToken = -200;  // IMAGE_TOKEN_INDEX; no token of any vocabulary

std::string tower_name(const json& root) {
  for (const char* key : {"mm_vision_tower", "vision_tower"})
    if (root.contains(key) && root[key].is_string()) return root[key].get<std::string>();
  return "";
}

/// CLIP as OpenAI published it, whose folder need not be there when the weights hold the tower.
std::optional<json> published_tower(const std::string& name) {
  struct Size {
    const char* name;
    int64_t image, patch, width, layers, heads, mlp;
  };
  static constexpr Size kSizes[] = {{"openai/clip-vit-large-patch14-336", 336, 14, 1024, 24, 16, 4096},
                                    {"openai/clip-vit-large-patch14", 224, 14, 1024, 24, 16, 4096},
                                    {"openai/clip-vit-base-patch16", 224, 16, 768, 12, 12, 3072},
                                    {"openai/clip-vit-base-patch32", 224, 32, 768, 12, 12, 3072}};
  for (const Size& size : kSizes)
    if (name == size.name)
      return json{{"model_type", "clip_vision_model"}, {"image_size", size.image},
                  {"patch_size", size.patch},          {"hidden_size", size.width},
                  {"num_hidden_layers", size.layers},  {"num_attention_heads", size.heads},
                  {"intermediate_size", size.mlp}};
  return {};
}

void refuse_what_is_not_implemented(const ConfigReader& read) {
  const auto only = [&](const char* key, const std::string& otherwise,
                        const std::vector<std::string>& known) {
    const std::string value = read.text(key, otherwise);
    if (std::find(known.begin(), known.end(), value) != known.end()) return;
    std::string list;
    for (const std::string& one : known) list += (list.empty() ? "" : ", ") + one;
    throw Error("config.json: " + std::string(key) + " \"" + value.substr(0, 100) + "\" is not supported; " +
                list + (known.size() > 1 ? " are" : " is"));
  };
  only("mm_projector_type", "linear", {"linear", "mlp2x_gelu"});
  only("mm_vision_select_feature", "patch", {"patch", "cls_patch"});
  const bool anyres = read.text("image_aspect_ratio", "square") == "anyres";
  only("image_aspect_ratio", "square", {"square", "pad", "anyres"});
  only("mm_patch_merge_type", "flat", {anyres ? "spatial_unpad" : "flat"});
  if (read.has("mm_resampler_type"))
    throw Error("config.json: a resampler (mm_resampler_type) is not supported; a projector alone is");
}

/// config.json as transformers writes a LLaVA's.
json as_llava(const json& root, const json& vision) {
  const ConfigReader read(root, "root");
  json text = root;
  text["model_type"] = read.text("model_type", "").ends_with("_mistral") ? "mistral" : "llama";
  for (const char* key : {"eos_token_id", "bos_token_id"})
    if (root.contains(key)) text[key] = root[key];
  json made = {{"model_type", "llava"}, {"text_config", text}, {"vision_config", vision}};
  made["vision_feature_layer"] =
      read.has("mm_vision_select_layer") ? read.raw("mm_vision_select_layer") : json(-2);
  made["vision_feature_select_strategy"] =
      read.text("mm_vision_select_feature", "patch") == "cls_patch" ? "full" : "default";
  made["tie_word_embeddings"] = read.flag("tie_word_embeddings", false);
  return made;
}

std::string canonical(const std::string& stored) {
  const auto moved = [&](const std::string& from, const std::string& to) {
    return stored.starts_with(from) ? to + stored.substr(from.size()) : std::string();
  };
  if (stored.ends_with(".position_ids") || stored.ends_with("rotary_emb.inv_freq")) return "";
  if (stored.starts_with("model.mm_projector.") || stored.starts_with("mm_projector."))
    return llava_projector_name(stored);
  static const std::pair<const char*, const char*> kMoves[] = {
      {"model.vision_tower.vision_tower.vision_model.", "vision_tower."},
      {"model.vision_tower.vision_tower.", "vision_tower."},
      {"model.image_newline", "image_newline"},
      {"model.", "language_model.model."},
      {"lm_head.", "language_model.lm_head."}};
  for (const auto& [from, to] : kMoves)
    if (std::string name = moved(from, to); !name.empty()) return name;
  return stored;
}

bool holds_tower(const Weights& weights) {
  const auto found = weights.tensors().lower_bound("vision_tower.");
  return found != weights.tensors().end() && found->first.starts_with("vision_tower.");
}

/// The conversation that LLaVA's code chooses by the name of a folder.
const PublishedTemplate* conversation_of(std::string name, bool mistral) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  const auto says = [&](const char* part) { return name.find(part) != name.npos; };
  if (says("llama-2")) return &kOriginalLlama2;
  if (mistral || says("mistral")) return &kOriginalMistral;
  if ((says("v1") && !says("34b")) || says("vicuna")) return &kOriginalV1;
  if (says("34b")) return &kOriginalChatMl;
  return says("v0") ? &kOriginalV0 : nullptr;
}

std::shared_ptr<const ChatTemplate> chat_of(const fs::path& folder, const ConfigReader& read) {
  const bool mistral = read.text("model_type", "").ends_with("_mistral");
  const std::string image =
      read.flag("mm_use_im_start_end", false) ? "<im_start><image><im_end>\n" : "<image>\n";
  const std::string named = read.text("_name_or_path", "");
  const fs::path own = fs::absolute(folder).lexically_normal();
  for (const std::string& name : {(own.has_filename() ? own : own.parent_path()).filename().string(), named})
    if (const auto* found = conversation_of(name, mistral))
      return ChatTemplate::of_original_folder(folder, image, *found, "by the name " + unicode::excerpt(name));
  return ChatTemplate::of_original_folder(folder, image, kOriginalV1, "assumed, as no name says which");
}

void check_width(const fs::path& folder, const ConfigReader& read, const VisionConfig& vision) {
  if (!read.has("mm_hidden_size") || read.integer("mm_hidden_size", {}) == vision.width) return;
  throw Error(folder.string() + ": the vision tower is " + std::to_string(vision.width) +
              " wide, but the model was made for one of " + read.raw("mm_hidden_size").dump() +
              " (mm_hidden_size of config.json); give the one it was made for");
}

/// image_grid_pinpoints of this code are [width, height].
std::vector<AnyresProcessor::Size> read_pinpoints(const ConfigReader& read, int64_t side) {
  if (!read.has("image_grid_pinpoints"))
    throw Error("config.json: root.image_grid_pinpoints must be present");
  auto sizes = read_resolutions(read.raw("image_grid_pinpoints"), side, "config.json");
  for (auto& size : sizes) std::swap(size.height, size.width);
  return sizes;
}

AnyresConfig anyres_config(const LlavaConfig& llava, const ConfigReader& read) {
  AnyresConfig config{.llava = llava, .resolutions = read_pinpoints(read, llava.vision.image_size)};
  config.check_features();
  return config;
}

/// LLaVA-1.6's views, each through the tower's own processor.
AnyresProcessor anyres_processor(const ImageProcessor& of_view, int64_t side, const ConfigReader& read) {
  AnyresProcessor processor;
  processor.resolutions = read_pinpoints(read, side);
  processor.one_view_kind = AnyresProcessor::OneView::kSqueezed;
  processor.tile = side;
  processor.mean = of_view.mean;
  processor.std = of_view.std;
  return processor;
}

}  // namespace

bool is_original_llava(const json& root) {
  if (!root.is_object()) return false;
  const auto type = root.find("model_type");
  const bool named = type != root.end() && (*type == "llava_llama" || *type == "llava_mistral");
  return named || (type != root.end() && *type == "llava" && !tower_name(root).empty());
}

std::optional<fs::path> named_tower(const fs::path& folder) {
  if (!fs::is_regular_file(folder / "config.json")) return {};
  const json root = read_json(folder / "config.json");
  const fs::path name = is_original_llava(root) ? tower_name(root) : "";
  if (name.empty()) return {};
  const fs::path beside = fs::absolute(folder).lexically_normal() / "..";
  for (const fs::path& place : {name.is_absolute() ? name : folder / name, beside / name,
                                folder / name.filename(), beside / name.filename()})
    if (std::error_code unreadable; fs::is_regular_file(place / "config.json", unreadable))
      return place.lexically_normal();
  return {};
}

std::shared_ptr<const VisionLanguageModel> load_original_llava(const fs::path& folder, const json& root,
                                                               at::Device device, at::ScalarType dtype,
                                                               const TowerFolder* given) {
  const ConfigReader read(root, "root");
  refuse_what_is_not_implemented(read);
  Weights weights(folder);
  weights.rename(canonical);
  std::optional<TowerFolder> named;
  if (const auto found = named_tower(folder); found && given == nullptr) named.emplace(*found);
  const TowerFolder* const described = given != nullptr ? given : named ? &*named : nullptr;
  const auto known = published_tower(tower_name(root));
  if (described == nullptr && !(known && holds_tower(weights)))
    throw Error(folder.string() + ": the vision tower '" + unicode::excerpt(tower_name(root)) +
                "' (mm_vision_tower of config.json) lies neither inside the folder nor beside it; name its "
                "folder with --vision-tower DIR");
  const json made = as_llava(root, described ? described->vision_config(known.value_or(json())) : *known);
  LlavaConfig config = LlavaConfig::from_json(made);
  config.image_token = kImageToken;
  check_width(folder, read, config.vision);
  if (given != nullptr || !holds_tower(weights)) described->put_into(weights, "vision_tower");
  LlavaFiles files{.folder = folder,
                   .weights = std::move(weights),
                   .rules = reply_rules(folder, made, class_stops(llava_text_type(made))),
                   .chat = chat_of(folder, read),
                   .image_text = "<image>"};
  const int64_t side = config.vision.image_size;
  ImageProcessor processor =
      described != nullptr
          ? described->processor()
          : ImageProcessor::from_json({{"size", side}, {"crop_size", side}}, "CLIP's image processor");
  const std::string aspect = read.text("image_aspect_ratio", "square");
  processor.pad_to_square = aspect == "pad";
  check_view(folder, config.vision, processor.output_height(), processor.output_width());
  if (aspect != "anyres") return load_llava_parts(config, processor, std::move(files), device, dtype);
  return load_anyres({.family = "llava_next",
                      .config = anyres_config(config, read),
                      .processor = anyres_processor(processor, side, read),
                      .files = std::move(files)},
                     device, dtype);
}

}  // namespace hijack
