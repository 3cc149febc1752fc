#include "models/load_model.h"

#include <ATen/Context.h>

#include "models/arithmetic.h"
#include "models/checkpoint/config_json.h"
#include "models/checkpoint/lora_adapter.h"
#include "models/checkpoint/parameter_source.h"
#include "models/checkpoint/stored_weights.h"
#include "models/dtype.h"
#include "models/encoders/encoder_model.h"
#include "models/families/gemma3.h"
#include "models/families/idefics3.h"
#include "models/families/instructblip.h"
#include "models/families/internvl.h"
#include "models/families/llava.h"
#include "models/families/llava_next.h"
#include "models/families/llava_onevision.h"
#include "models/families/llava_original.h"
#include "models/families/mistral3.h"
#include "models/families/paligemma.h"
#include "models/families/qwen2_5_vl.h"
#include "models/families/qwen2_vl.h"
#include "models/families/qwen3_vl.h"
#include "models/families/text_prompt_model.h"
#include "models/families/torchscript.h"
#include "models/families/tower_folder.h"
#include "src/base/error.h"
#include "src/base/json.h"
#include "src/base/registry.h"

namespace hijack {

namespace {

using Model = std::shared_ptr<const VisionLanguageModel>;

struct Family {
  using Load = Model(const std::filesystem::path&, const nlohmann::json&, at::Device, at::ScalarType);
  using LoadWithTower = Model(const std::filesystem::path&, const nlohmann::json&, at::Device, at::ScalarType,
                              const TowerFolder*);
  Family(const char* type, Load* loader) : name(type), load(loader) {}
  Family(const char* type, LoadWithTower* loader) : name(type), load_with_tower(loader) {}

  const char* name;  ///< model_type of config.json
  Load* load = nullptr;
  LoadWithTower* load_with_tower = nullptr;  ///< of families that take another folder's tower; else `load`
};

// the one table of families
const Registry<Family> kFamilies("family", {
                                               {"llava", load_llava},
                                               {"idefics3", load_idefics3},
                                               {"smolvlm", load_idefics3},
                                               {"llava_llama", load_original_llava},
                                               {"llava_mistral", load_original_llava},
                                               {"llava_next", load_llava_next},
                                               {"llava_onevision", load_llava_onevision},
                                               {"qwen2_vl", load_qwen2_vl},
                                               {"qwen2_5_vl", load_qwen2_5_vl},
                                               {"qwen3_vl", load_qwen3_vl},
                                               {"internvl", load_internvl},
                                               {"instructblip", load_instructblip},
                                               {"paligemma", load_paligemma},
                                               {"gemma3", load_gemma3},
                                               {"mistral3", load_mistral3},
                                               {"torchscript", load_torchscript},
                                           });

at::Device parse_device(const std::string& text) {
  std::optional<at::Device> device;
  try {
    device = at::Device(text);
  } catch (const c10::Error&) {
  }
  if (!device || (!device->is_cpu() && !device->is_cuda() && !device->is_meta()))
    throw Error("device \"" + text + "\" is not known; write cpu, cuda or cuda:1");
  if (device->is_cuda() && !at::hasCUDA())
    throw Error("device " + text + " was asked for, but this libtorch sees no CUDA device; use --device cpu");
  if (device->is_cuda() && device->index() >= static_cast<int>(at::getNumGPUs()))
    throw Error("device " + text + " was asked for, but this machine has " +
                std::to_string(at::getNumGPUs()) + " CUDA device(s), counted from cuda:0");
  use_exact_arithmetic(*device);
  return *device;
}

[[noreturn]] void refuse_without_config(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "adapter_config.json"))
    throw Error("model folder " + folder.string() +
                " is an adapter (adapter_config.json): give the folder of its base model, and this one as "
                "--adapter");
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".gguf")
      throw Error(
          "model folder " + folder.string() + " has " + entry.path().filename().string().substr(0, 100) +
          ", llama.cpp's format (GGUF), which is not read: give the model's Hugging Face folder, with "
          "config.json and safetensors");
  throw Error("model folder " + folder.string() +
              " has no config.json; give a Hugging Face checkpoint folder");
}

/// Weights in few bits have no gradients to follow, and formats of their own.
void check_not_quantized(const std::filesystem::path& folder, const nlohmann::json& config) {
  const auto find = [](const nlohmann::json& from) -> const nlohmann::json* {
    if (!from.is_object()) return nullptr;
    const auto found = from.find("quantization_config");
    return found == from.end() || found->is_null() ? nullptr : &*found;
  };
  const nlohmann::json* quantized = find(config);
  if (!quantized && config.is_object() && config.contains("text_config"))
    quantized = find(config["text_config"]);
  if (!quantized) return;
  const nlohmann::json method =
      quantized->is_object() ? quantized->value("quant_method", nlohmann::json()) : nullptr;
  const std::string name =
      method.is_string() ? method.get<std::string>().substr(0, 60) : "a method without a name";
  throw Error(
      "model folder " + folder.string() + " is quantized (" + name +
      "; quantization_config of config.json), which is not read: give the folder that it was made from, "
      "or load it in Python and save what model.dequantize() gives");
}

/// config.json of a folder, and where and how its weights are wanted.
struct Folder {
  Folder(const std::filesystem::path& folder, const LoadOptions& options)
      : device(parse_device(options.device)) {
    chosen_dtype(options.dtype, device, false);  // checks the name
    if (!std::filesystem::is_directory(folder))
      throw Error("model folder " + folder.string() +
                  " does not exist; give a Hugging Face checkpoint folder");
    if (!std::filesystem::exists(folder / "config.json")) {
      if (!std::filesystem::exists(folder / "open_clip_config.json")) refuse_without_config(folder);
      type = "open_clip";
      return;
    }
    config = read_json(folder / "config.json");
    type = ConfigReader(config, "root").text("model_type", "");
    check_not_quantized(folder, config);
    if (type == "llava" && is_original_llava(config)) type = "llava_llama";
  }

  at::Device device;
  nlohmann::json config;
  std::string type;
};

/// Has the adapter of the options, if they name one, merged into what is read from the folder.
class Adapter {
 public:
  Adapter(const std::filesystem::path& folder, const LoadOptions& options, at::Device device) {
    if (options.adapter.empty()) return;
    adapter_.emplace(options.adapter);
    scope_.emplace(folder, *adapter_, /*values=*/!device.is_meta());
  }

  /// What was loaded meanwhile. Throws Error where the adapter was left out.
  Model with(Model model, const std::string& type) const {
    if (scope_ && !scope_->used()) throw Error("--adapter: the family " + type + " takes no adapter");
    return model;
  }

 private:
  std::optional<LoraAdapter> adapter_;
  std::optional<AdapterScope> scope_;
};

Model load_family(const Family& family, const std::filesystem::path& folder, const Folder& found,
                  at::ScalarType dtype, const std::filesystem::path& vision_tower) {
  if (family.load_with_tower != nullptr) {
    std::optional<TowerFolder> tower;
    if (!vision_tower.empty()) tower.emplace(vision_tower);
    return family.load_with_tower(folder, found.config, found.device, dtype, tower ? &*tower : nullptr);
  }
  if (vision_tower.empty()) return family.load(folder, found.config, found.device, dtype);
  std::string takers;
  for (const Family& one : kFamilies)
    if (one.load_with_tower != nullptr) takers += (takers.empty() ? "" : ", ") + std::string(one.name);
  throw Error("--vision-tower: the family " + found.type +
              " takes no other vision tower; these do: " + takers);
}

Model in_views(Model model, const std::string& views) {
  const auto* prompted = views == "one" ? dynamic_cast<const ImagePromptModel*>(model.get()) : nullptr;
  auto one = prompted != nullptr ? prompted->with_one_view() : nullptr;
  return one ? one : model;
}

/// The cap is kept or refused: photos of some families have one size only.
Model capped(Model model, int64_t pixels) {
  if (pixels == 0) return model;
  const auto* prompted = dynamic_cast<const ImagePromptModel*>(model.get());
  if (auto smaller = prompted != nullptr ? prompted->with_max_pixels(pixels) : nullptr) return smaller;
  const auto [height, width] = model->image_spec();
  if (height * width <= pixels) return model;
  throw Error("max_pixels " + std::to_string(pixels) + " cannot be kept: this model (" + model->family() +
              ") makes " + std::to_string(width) + "x" + std::to_string(height) + " = " +
              std::to_string(height * width) + " pixels of every photo; leave max_pixels at 0");
}

/// Throws Error for options about the image side of a vision-language model; is: what the folder is.
void refuse_image_options(const std::filesystem::path& folder, const LoadOptions& options,
                          const std::string& is) {
  for (const auto& [flag, given] : {std::pair("--vision-tower", !options.vision_tower.empty()),
                                    std::pair("--max-pixels", options.max_pixels > 0)})
    if (given) throw Error(std::string(flag) + ": " + folder.string() + " is " + is);
}

}  // namespace

std::string dtype_of(const std::filesystem::path& folder, const std::string& name, at::Device device) {
  const bool headers_decide = name == "auto" && device.is_cuda();
  return chosen_dtype(name, device, headers_decide && stored_in_float32(folder));
}

std::string dtype_of(const std::filesystem::path& folder, const LoadOptions& options) {
  return dtype_of(folder, options.dtype, parse_device(options.device));
}

std::vector<std::string> supported_families() {
  return kFamilies.names();
}

std::shared_ptr<const VisionLanguageModel> load_model(const std::filesystem::path& folder,
                                                      const LoadOptions& options) {
  const Folder found(folder, options);
  if (options.views != "all" && options.views != "one")
    throw Error("views \"" + options.views + "\" is not known; write all or one");
  if (options.max_pixels < 0) throw Error("max_pixels must not be negative; 0 leaves it to the folder");
  const std::string chosen = dtype_of(folder, options.dtype, found.device);
  const at::ScalarType dtype = weight_dtype(chosen);
  const AutocastScope autocast(chosen == "autocast");
  const Adapter adapter(folder, options, found.device);
  if (const Family* family = kFamilies.find(found.type))
    return capped(
        in_views(adapter.with(load_family(*family, folder, found, dtype, options.vision_tower), found.type),
                 options.views),
        options.max_pixels);
  if (is_decoder(found.type)) {
    refuse_image_options(folder, options, "a language model (" + found.type + ") that takes no images");
    return adapter.with(load_text_prompt_model(folder, found.config, found.device, dtype), found.type);
  }
  if (is_encoder(found.type)) {
    refuse_image_options(folder, options,
                         "an image encoder (" + found.type + "), not a vision-language model");
    return adapter.with(load_encoder_model(found.type, folder, found.config, found.device, dtype),
                        found.type);
  }
  std::string known;
  for (const std::string& name : kFamilies.names()) known += (known.empty() ? "" : ", ") + name;
  throw Error(folder.string() + ": model_type \"" + found.type +
              "\" is not supported; supported are: " + known);
}

bool is_encoder_folder(const std::filesystem::path& folder) {
  return is_encoder(Folder(folder, {}).type);
}

bool takes_images(const std::filesystem::path& folder) {
  return !is_decoder(Folder(folder, {}).type);
}

std::shared_ptr<const LanguageModel> load_language_model(const std::filesystem::path& folder,
                                                         const LoadOptions& options) {
  return load_model(folder, options)->language_model();
}

}  // namespace hijack
