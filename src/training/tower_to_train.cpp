#include "src/training/tower_to_train.h"

#include "models/chat_template/published.h"
#include "models/checkpoint/config_json.h"
#include "models/checkpoint/parameter_source.h"
#include "models/families/tower_folder.h"
#include "src/base/error.h"
#include "src/base/json.h"
#include "src/training/pocket_model.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kPrefix = "vision_tower.";

std::string model_type_of(const fs::path& folder) {
  const fs::path file = folder / "config.json";
  if (!fs::is_regular_file(file)) return "";  // a checkpoint of open_clip, or nothing
  const json root = read_json(file);
  return ConfigReader(root, "root").text("model_type", "");
}

TowerToTrain read_of_model(const fs::path& folder) {
  TowerToTrain tower{.folder = folder, .model = read_json(folder / "config.json")};
  const LlavaConfig config = LlavaConfig::from_json(*tower.model);
  if (!tower.model->contains("vision_config"))
    throw Error((folder / "config.json").string() + " has no vision_config: its tower cannot be written");
  tower.vision = tower.model->at("vision_config");
  tower.config = config.vision;
  for (const int64_t layer : config.feature_layers)
    tower.read_after.push_back(layer < 0 ? config.vision.layers + 1 + layer : layer);
  tower.drop_first = !config.keep_class_token;
  tower.processor = ImageProcessor::from_folder(folder);
  Weights weights(folder);
  weights.rename([](const std::string& stored) {
    const std::string name = canonical_llava_name(stored);
    return name.starts_with(kPrefix) ? name : std::string();
  });
  tower.tensors = weights.tensors();
  return tower;
}

TowerToTrain read_alone(const fs::path& folder) {
  const TowerFolder stored(folder);
  TowerToTrain tower{.folder = folder};
  tower.vision = stored.vision_config(json::object());
  tower.config = VisionConfig::from_json(tower.vision);
  tower.read_after = {tower.config.layers};
  tower.drop_first = tower.config.class_token;
  tower.processor = stored.processor();
  Weights weights(TensorMap{}, folder.string());
  stored.put_into(weights, "vision_tower");
  tower.tensors = weights.tensors();
  return tower;
}

/// As transformers writes its settings.
json processor_settings(const ImageProcessor& p) {
  const auto side = [](int64_t height, int64_t width) { return json{{"height", height}, {"width", width}}; };
  const std::array<std::pair<Filter, int>, 4> filters = {
      {{Filter::kLanczos, 1}, {Filter::kBilinear, 2}, {Filter::kBicubic, 3}, {Filter::kBox, 4}}};
  json settings = {{"image_processor_type", "CLIPImageProcessor"},
                   {"do_convert_rgb", true},
                   {"do_resize", p.do_resize},
                   {"do_center_crop", p.do_center_crop},
                   {"do_rescale", true},
                   {"rescale_factor", 1.0 / 255},
                   {"do_normalize", true},
                   {"image_mean", p.mean},
                   {"image_std", p.std}};
  settings["size"] =
      p.shortest_edge > 0 ? json{{"shortest_edge", p.shortest_edge}} : side(p.resize_height, p.resize_width);
  if (p.do_center_crop) settings["crop_size"] = side(p.crop_height, p.crop_width);
  for (const auto& [filter, number] : filters)
    if (filter == p.filter) settings["resample"] = number;
  return settings;
}

}  // namespace

TowerToTrain TowerToTrain::read(const fs::path& folder) {
  const std::string type = model_type_of(folder);
  if (type == "llava") return read_of_model(folder);
  const bool tower = type.empty() || type.starts_with("clip") || type.starts_with("siglip");
  if (!tower)
    throw Error("the tower of '" + folder.string() + "' (model_type " + type.substr(0, 100) +
                ") cannot be trained; --model takes a llava folder, or the folder of a CLIP or SigLIP tower");
  return read_alone(folder);
}

int64_t TowerToTrain::layers_used() const {
  return *std::max_element(read_after.begin(), read_after.end());
}

VisionTower TowerToTrain::build(const ParameterSource& source) const {
  return {config, source, "vision_tower", layers_used()};
}

Tensor TowerToTrain::features(const VisionTower& tower, const Tensor& images) const {
  const Tensor states = at::cat(tower.forward(processor.normalize(images), read_after), -1);
  return drop_first ? states.narrow(1, 1, states.size(1) - 1) : states;
}

void TowerToTrain::copy_into(Parameters& parameters) const {
  const at::NoGradGuard no_gradients;
  for (const auto& [name, value] : parameters.values()) {
    const auto stored = tensors.find(name);
    if (stored == tensors.end() || stored->second.sizes() != value.sizes())
      throw Error("the tower of " + folder.string() + " has no tensor " + name + " of the shape that its " +
                  "config.json asks for");
    parameters.at(name).copy_(stored->second);
  }
}

void TowerToTrain::write(const TensorMap& trained, const fs::path& out) const {
  create_model_folder(out);
  json root = vision;
  const bool clip = config.pre_norm;
  root["model_type"] = clip ? "clip_vision_model" : "siglip_vision_model";
  root["architectures"] = {clip ? "CLIPVisionModel" : "SiglipVisionModel"};
  root["dtype"] = "float32";
  root.erase("torch_dtype");
  write_json(out / "config.json", root);
  write_json(out / "preprocessor_config.json", processor_settings(processor));
  TensorMap all;
  const std::string prefix = kPrefix;
  for (const TensorMap* part : {&tensors, &trained})
    for (const auto& [name, value] : *part)
      if (name.starts_with(prefix))
        all["vision_model." + name.substr(prefix.size())] = value.detach().cpu().to(at::kFloat).contiguous();
  save_safetensors(all, out / "model.safetensors", {{"format", "pt"}});
}

std::shared_ptr<const Llava> model_around(const TowerToTrain& tower, Parameters& parameters,
                                          at::Device device) {
  LlavaConfig config = LlavaConfig::from_json(*tower.model);
  LlavaFiles files = LlavaFiles::read(tower.folder, *tower.model, nullptr, kLlavaTemplate);
  auto tokenizer = files.settle(config);
  config.linear_projector = !files.weights.has("multi_modal_projector.linear_2.weight");
  const ParameterSource frozen = frozen_source(files.weights, device, at::kFloat),
                        trained = parameters.source(config.vision.layers);
  auto network =
      std::make_shared<const LlavaNetwork>(config, [&](const std::string& name, at::IntArrayRef shape) {
        return name.starts_with(kPrefix) ? trained(name, shape) : frozen(name, shape);
      });
  return std::make_shared<const Llava>(std::move(network), std::move(tokenizer), tower.processor, files.rules,
                                       files.chat, files.image_text);
}

}  // namespace hijack
