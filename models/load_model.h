#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/vision_language_model.h"

namespace hijack {

// What --views and --max-pixels say of themselves, wherever they can be given.
inline constexpr const char* kViewsHelp =
    "all views that the image processor makes of a photo, or one (LLaVA-NeXT, LLaVA-OneVision, Idefics3, "
    "InternVL)";
inline constexpr const char* kMaxPixelsHelp =
    "scale larger photos down to so many pixels where a photo costs tokens by its size (Qwen-VL); 0 = as the "
    "folder says";

struct LoadOptions {
  /// cpu, cuda, cuda:1; or meta: everything is checked, but no weight is read, and the model knows shapes
  /// only.
  std::string device = "cpu";
  std::string dtype = "auto";  ///< one of dtype_names() (dtype.h)
  /// all: as the folder's image processor says; one: a photo is one view, in families that cut it into
  /// several.
  std::string views = "all";
  /// A CLIP or SigLIP folder whose tower takes the place of the model's own (models/families/tower_folder.h);
  /// empty: none. Throws Error for families that do not take another one.
  std::filesystem::path vision_tower = {};
  /// A LoRA adapter of PEFT (models/checkpoint/lora_adapter.h) that is merged into the weights as they are
  /// read; empty: none.
  std::filesystem::path adapter = {};
  /// Photos of more pixels are scaled down to so many before the model looks at them, where the number of its
  /// image tokens follows the photo's size; 0: as the folder's image processor says.
  int64_t max_pixels = 0;
};

/// What a name of --dtype stands for with this folder on a device (dtype.h), which need not be here. Throws
/// Error for unknown names.
std::string dtype_of(const std::filesystem::path& folder, const std::string& name, at::Device device);
/// That of the options, on a device that must be here.
std::string dtype_of(const std::filesystem::path& folder, const LoadOptions& options);

/// Loads a Hugging Face folder: a vision-language model, a text decoder, which takes no images, or an image
/// encoder, which says nothing (encoders/encoder_model.h). Throws Error that names what is missing or not
/// supported.
std::shared_ptr<const VisionLanguageModel> load_model(const std::filesystem::path& folder,
                                                      const LoadOptions& options = {});

/// Whether a folder is an image encoder and nothing else (CLIP, SigLIP, DINOv2; open_clip's too). Throws
/// Error where there is no model.
bool is_encoder_folder(const std::filesystem::path& folder);

/// Whether the model of a folder is one with images, as far as its config.json says: false for text decoders.
/// Throws Error where there is no config.json.
bool takes_images(const std::filesystem::path& folder);

/// A text-only decoder folder, or the decoder of a vision-language folder.
std::shared_ptr<const LanguageModel> load_language_model(const std::filesystem::path& folder,
                                                         const LoadOptions& options = {});

/// Names of the families that load_model accepts (`model_type` of config.json), for messages and --list.
std::vector<std::string> supported_families();

}  // namespace hijack
