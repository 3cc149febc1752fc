#include "models/families/tower_folder.h"

#include "models/checkpoint/config_json.h"
#include "src/base/error.h"
#include "src/base/json.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json read_vision_config(const fs::path& folder) {
  if (!fs::is_directory(folder) || !fs::is_regular_file(folder / "config.json"))
    throw Error("there is no vision tower in '" + folder.string() +
                "'; --vision-tower takes a CLIP or SigLIP folder with config.json, weights and "
                "preprocessor_config.json, or one with a checkpoint of open_clip alone");
  const json root = read_json(folder / "config.json");
  const ConfigReader read(root, "root");
  const std::string type = read.text("model_type", "");
  if (type == "clip_vision_model" || type == "siglip_vision_model") return root;
  if (type != "clip" && type != "siglip")
    throw Error((folder / "config.json").string() + ": model_type \"" + type.substr(0, 100) +
                "\" is no vision tower; clip, clip_vision_model, siglip and siglip_vision_model are");
  json vision = read.has("vision_config") ? read.raw("vision_config") : json::object();
  // old files have both, and transformers lets the second go before
  if (read.has("vision_config_dict") && read.raw("vision_config_dict").is_object() && vision.is_object())
    vision.update(read.raw("vision_config_dict"));
  if (vision.is_object() && !vision.contains("model_type")) vision["model_type"] = type + "_vision_model";
  return vision;
}

/// The name inside the tower; "" for what belongs to the other tower and to the loss between both.
std::string name_in_tower(std::string name) {
  for (const char* other :
       {"text_model.", "visual_projection.", "text_projection.", "logit_scale", "logit_bias"})
    if (name.starts_with(other)) return "";
  if (name.ends_with(".position_ids")) return "";
  const std::string inner = "vision_model.";
  return name.starts_with(inner) ? name.substr(inner.size()) : name;
}

}  // namespace

TowerFolder::TowerFolder(const fs::path& folder)
    : folder_(folder), open_clip_(OpenClipTower::from_folder(folder)) {
  if (!open_clip_) config_ = read_vision_config(folder);
}

json TowerFolder::put_into(json root) const {
  if (!root.is_object()) return root;
  json own = root.value("vision_config", json::object());
  if (!own.is_object()) own = json::object();
  root["vision_config"] = vision_config(own);
  return root;
}

ImageProcessor TowerFolder::processor() const {
  if (open_clip_) return ImageProcessor::from_json(open_clip_->processor_config(), folder_.string());
  return ImageProcessor::from_folder(folder_);
}

void TowerFolder::put_into(Weights& weights, const std::string& prefix) const {
  Weights tower = open_clip_ ? Weights(open_clip_->tensors(), folder_.string()) : Weights(folder_);
  tower.rename([&](const std::string& stored) {
    const std::string name = name_in_tower(stored);
    return name.empty() ? name : prefix + "." + name;
  });
  weights.replace(prefix + ".", tower);
}

}  // namespace hijack
