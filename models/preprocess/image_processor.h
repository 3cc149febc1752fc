#pragma once
#include <array>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "models/preprocess/resampler.h"
#include "src/base/tensor.h"

namespace hijack {

/// The CLIP / SigLIP / BLIP image processor: resize (shortest edge or exact size), center crop or pad to
/// square, rescale, normalize. Same numbers as transformers' PIL-based processor.
struct ImageProcessor {
  bool do_resize = true;
  int64_t shortest_edge = 0;  ///< > 0: keep the aspect ratio; else resize to resize_height x resize_width
  int64_t resize_height = 0;
  int64_t resize_width = 0;
  Filter filter = Filter::kBicubic;
  bool do_center_crop = true;
  int64_t crop_height = 0;
  int64_t crop_width = 0;
  bool pad_to_square = false;  ///< the original LLaVA's choice; recorded in the manifest
  std::array<double, 3> mean{};
  std::array<double, 3> std{};

  /// From the JSON of preprocessor_config.json, or the `image_processor` part of processor_config.json.
  /// Throws Error for settings this code does not implement (do_rescale false, unknown resample, ...).
  static ImageProcessor from_json(const nlohmann::json& config, const std::string& where);
  /// Reads whichever of the two files the folder has.
  static ImageProcessor from_folder(const std::filesystem::path& folder);

  int64_t output_height() const;
  int64_t output_width() const;
  /// image [1,3,H,W] in [0,1] -> [1,3,h,w] in [0,1]: everything but rescale and normalize. Differentiable.
  Tensor geometry(const Tensor& image) const;
  /// (x - mean) / std, float32.
  Tensor normalize(const Tensor& image) const;
};

/// As the original LLaVA's expand2square: in the middle of a square of the mean color. [N,3,H,W] in [0,1].
Tensor padded_to_square(const Tensor& image, const std::array<double, 3>& mean);

}  // namespace hijack
