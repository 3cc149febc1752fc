#include "models/families/open_clip.h"

#include <ATen/ATen.h>

#include <cmath>

#include "models/checkpoint/config_json.h"
#include "models/checkpoint/weight_files.h"
#include "src/base/error.h"
#include "src/base/json.h"
#include "src/base/text.h"
#include "src/base/unicode.h"

namespace hijack {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kOpenClipConfig = "open_clip_config.json";
constexpr const char* kWholeClip[] = {"open_clip_model.safetensors", "open_clip_pytorch_model.safetensors",
                                      "open_clip_pytorch_model.bin", "open_clip_pytorch_model.pt"};

bool holds_weights(const fs::path& file) {
  const std::string ending = file.extension().string();
  return ending == ".pt" || ending == ".pth" || ending == ".bin" || ending == ".safetensors";
}

std::vector<fs::path> weights_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.is_regular_file() && holds_weights(entry.path())) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// Names without what wrappers of training put before them.
TensorMap unwrapped(const TensorMap& stored) {
  TensorMap inner;
  for (const auto& [name, tensor] : stored) {
    std::string_view rest = name;
    for (const std::string_view front : {"module.", "model."})
      if (rest.starts_with(front)) rest.remove_prefix(front.size());
    inner.emplace(rest, tensor);
  }
  return inner;
}

/// Of a whole CLIP the image side, and what is none of it.
std::pair<TensorMap, TensorMap> image_side(const TensorMap& stored) {
  TensorMap inner = unwrapped(stored);
  constexpr std::string_view kVisual = "visual.";
  const bool whole = std::any_of(inner.begin(), inner.end(),
                                 [&](const auto& one) { return one.first.starts_with(kVisual); });
  if (!whole) return {std::move(inner), {}};
  TensorMap visual, others;
  for (const auto& [name, tensor] : inner)
    if (name.starts_with(kVisual))
      visual.emplace(name.substr(kVisual.size()), tensor);
    else
      others.emplace(name, tensor);
  return {std::move(visual), std::move(others)};
}

struct Renamed {
  const char* from;
  const char* to;
};
constexpr Renamed kOutside[] = {{"class_embedding", "embeddings.class_embedding"},
                                {"positional_embedding", "embeddings.position_embedding.weight"},
                                {"conv1.weight", "embeddings.patch_embedding.weight"},
                                {"ln_pre.weight", "pre_layrnorm.weight"},
                                {"ln_pre.bias", "pre_layrnorm.bias"},
                                {"ln_post.weight", "post_layernorm.weight"},
                                {"ln_post.bias", "post_layernorm.bias"}};
constexpr Renamed kInBlock[] = {{"ln_1.", "layer_norm1."},
                                {"ln_2.", "layer_norm2."},
                                {"attn.out_proj.", "self_attn.out_proj."},
                                {"mlp.c_fc.", "mlp.fc1."},
                                {"mlp.c_proj.", "mlp.fc2."}};

}  // namespace

std::optional<OpenClipTower> OpenClipTower::from_folder(const fs::path& folder) {
  if (!fs::is_directory(folder) || fs::exists(folder / "config.json")) return {};
  const bool configured = fs::exists(folder / kOpenClipConfig);
  const std::vector<fs::path> files = weights_in(folder);
  fs::path weights = files.size() == 1 ? files[0] : fs::path();
  for (const char* name : kWholeClip)
    if (weights.empty() && fs::exists(folder / name)) weights = folder / name;
  if (weights.empty()) return {};
  OpenClipTower tower;
  tower.where_ = weights.string();
  if (configured) tower.read_config(folder / kOpenClipConfig);
  tower.rename(load_tensors(weights));
  return tower;
}

void OpenClipTower::read_config(const fs::path& file) {
  config_ = read_json(file);
  const ConfigReader root(config_, kOpenClipConfig);
  if (!root.has("model_cfg") || !root.raw("model_cfg").is_object() ||
      !root.raw("model_cfg").value("vision_cfg", json()).is_object())
    throw Error(file.string() + " has no model_cfg with a vision_cfg: it is not open_clip's");
  const json& vision = root.raw("model_cfg")["vision_cfg"];
  for (const char* other :
       {"timm_model_name", "attentional_pool", "ls_init_value", "norm_kwargs", "act_kwargs"})
    if (vision.contains(other) && !vision[other].is_null() && vision[other] != false && vision[other] != "")
      throw Error(file.string() + ": " + other + " is not supported; the tower must be the ViT of CLIP");
}

bool put_open_clip_block(const std::string& where, const std::string& name, const Tensor& tensor,
                         const std::string& prefix, TensorMap& tensors) {
  constexpr std::string_view kBlocks = "transformer.resblocks.";
  const size_t dot = name.find('.', kBlocks.size());
  if (!name.starts_with(kBlocks) || dot == name.npos) return false;
  const std::string part = name.substr(dot + 1);
  const std::string block =
      prefix + "encoder.layers." + name.substr(kBlocks.size(), dot - kBlocks.size()) + ".";
  for (const Renamed& one : kInBlock)
    if (part.starts_with(one.from)) {
      tensors.emplace(block + one.to + part.substr(std::string(one.from).size()), tensor);
      return true;
    }
  if (part != "attn.in_proj_weight" && part != "attn.in_proj_bias") return false;
  if (tensor.dim() < 1 || tensor.size(0) % 3 != 0)
    throw Error(where + ": " + unicode::excerpt(name) + " is not query, key and value in one");
  const std::vector<Tensor> three = tensor.chunk(3);
  for (size_t i = 0; i < 3; ++i)
    tensors.emplace(
        block + "self_attn." + "qkv"[i] + "_proj." + (part.ends_with("weight") ? "weight" : "bias"),
        three[i]);
  return true;
}

void OpenClipTower::rename(const TensorMap& stored) {
  const auto take = [&](const std::string& name, const Tensor& tensor) {
    for (const Renamed& one : kOutside)
      if (name == one.from) return void(tensors_.emplace(one.to, tensor));
    if (name == "proj") return void(others_.emplace("visual.proj", tensor));  // behind the tower
    if (!put_open_clip_block(where_, name, tensor, "", tensors_))
      throw Error(where_ + ": the tensor " + unicode::excerpt(name) +
                  " is none of CLIP's vision transformer; a folder without config.json is read as open_clip "
                  "writes it");
    layers_ += name.ends_with(".attn.in_proj_weight");
  };
  auto [visual, others] = image_side(stored);
  others_ = std::move(others);
  for (const auto& [name, tensor] : visual) take(name, tensor);
  for (const char* needed : {"embeddings.patch_embedding.weight", "embeddings.position_embedding.weight",
                             "encoder.layers.0.mlp.fc1.weight"})
    if (!tensors_.contains(needed))
      throw Error(where_ +
                  " holds no vision transformer by the names of open_clip (visual.conv1, "
                  "visual.transformer.resblocks, ...)");
}

int64_t OpenClipTower::side(const char* tensor, int64_t dimension) const {
  const Tensor& found = tensors_.at(tensor);
  if (dimension >= found.dim()) throw Error(where_ + ": " + tensor + " has too few dimensions");
  return found.size(dimension);
}

int64_t OpenClipTower::image_size() const {
  const int64_t patch = side("embeddings.patch_embedding.weight", 2),
                places = side("embeddings.position_embedding.weight", 0);
  const auto patches = static_cast<double>(std::max<int64_t>(places - 1, 0));
  const auto grid = static_cast<int64_t>(std::llround(std::sqrt(patches)));
  if (grid < 1 || grid * grid + 1 != places || patch < 1)
    throw Error(where_ + ": " + std::to_string(places) +
                " positions are no square of patches and a class token");
  return grid * patch;
}

json OpenClipTower::vision_config(const json& own) const {
  const int64_t width = side("embeddings.patch_embedding.weight", 0);
  json config = {{"model_type", "clip_vision_model"},
                 {"hidden_size", width},
                 {"intermediate_size", side("encoder.layers.0.mlp.fc1.weight", 0)},
                 {"num_hidden_layers", layers_},
                 {"image_size", image_size()},
                 {"patch_size", side("embeddings.patch_embedding.weight", 2)}};
  if (config_.is_object()) {
    const json& model = config_["model_cfg"];
    const ConfigReader read(model, "model_cfg"), vision(model["vision_cfg"], "vision_cfg");
    for (const auto& [name, is] : {std::pair("layers", "num_hidden_layers"),
                                   {"width", "hidden_size"},
                                   {"patch_size", "patch_size"},
                                   {"image_size", "image_size"}})
      if (vision.has(name) && vision.raw(name) != config.at(is))
        throw Error(where_ + " has " + name + " " + config.at(is).dump() +
                    ", but open_clip_config.json says " + vision.raw(name).dump().substr(0, 40));
    const int64_t head_width = vision.integer("head_width", 64);
    if (head_width < 1 || width % head_width != 0)
      throw Error(where_ + ": head_width " + std::to_string(head_width) + " does not divide the width " +
                  std::to_string(width));
    config["num_attention_heads"] = width / head_width;
    config["hidden_act"] = read.flag("quick_gelu", false) ? "quick_gelu" : "gelu";
    return config;
  }
  if (!own.is_object() || own.value("model_type", "") != "clip_vision_model" ||
      own.value("hidden_size", json()) != width)
    throw Error(
        where_ +
        " says neither how many heads its layers have nor their activation, and the model's own tower is "
        "no CLIP of this width that would: put open_clip_config.json beside it");
  for (const char* name : {"num_attention_heads", "hidden_act", "layer_norm_eps"})
    if (own.contains(name)) config[name] = own[name];
  return config;
}

json OpenClipTower::processor_config() const {
  const int64_t side_length = image_size();
  json settings = {{"image_processor_type", "CLIPImageProcessor"},
                   {"do_resize", true},
                   {"size", {{"shortest_edge", side_length}}},
                   {"resample", 3},
                   {"do_center_crop", true},
                   {"crop_size", {{"height", side_length}, {"width", side_length}}},
                   {"do_rescale", true},
                   {"rescale_factor", 1 / 255.0},
                   {"do_normalize", true},
                   {"do_convert_rgb", true},
                   {"image_mean", {0.48145466, 0.4578275, 0.40821073}},
                   {"image_std", {0.26862954, 0.26130258, 0.27577711}}};
  const json given = config_.is_object() ? config_.value("preprocess_cfg", json::object()) : json::object();
  if (!given.is_object()) throw Error(std::string(kOpenClipConfig) + ": preprocess_cfg must be an object");
  for (const auto& [name, neutral] :
       {std::pair("interpolation", "bicubic"), {"resize_mode", "shortest"}, {"mode", "RGB"}})
    if (given.contains(name) && given[name] != neutral)
      throw Error(std::string(kOpenClipConfig) + ": preprocess_cfg has " + name + " " +
                  given[name].dump().substr(0, 40) + ", and only " + neutral + " is supported");
  if (given.contains("mean")) settings["image_mean"] = given["mean"];
  if (given.contains("std")) settings["image_std"] = given["std"];
  return settings;
}

}  // namespace hijack
