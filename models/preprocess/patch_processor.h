#pragma once
#include <array>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "models/preprocess/resampler.h"
#include "src/base/tensor.h"

namespace hijack {

/// The image processor of Qwen2-VL (Wang et al. 2024): both sides to multiples of merge x patch pixels with a
/// number of pixels in a given range, then patches as rows, those that will be merged next to each other.
/// Same numbers as transformers' PIL-based processor.
struct PatchProcessor {
  bool do_resize = true;
  int64_t min_pixels = 56 * 56;         ///< `size.shortest_edge`, a number of pixels in spite of its name
  int64_t max_pixels = 28 * 28 * 1280;  ///< `size.longest_edge`
  int64_t patch = 14;
  int64_t merge = 2;     ///< merge x merge patches become one token
  int64_t temporal = 2;  ///< a still image is repeated to so many frames
  Filter filter = Filter::kBicubic;
  std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std = {0.26862954, 0.26130258, 0.27577711};

  struct Size {
    int64_t height = 0;
    int64_t width = 0;
  };

  /// From the JSON of preprocessor_config.json, or the `image_processor` part of processor_config.json.
  /// Throws Error for settings this code does not implement.
  static PatchProcessor from_json(const nlohmann::json& config, const std::string& where);
  /// Reads whichever of the two files the folder has.
  static PatchProcessor from_folder(const std::filesystem::path& folder);

  /// The same with at most so many pixels. Throws Error for fewer than one token's.
  PatchProcessor capped(int64_t pixels) const;
  /// transformers' smart_resize. Throws Error for an image whose sides differ more than 200 times.
  Size resized_size(int64_t height, int64_t width) const;
  /// image [1,3,H,W] in [0,1] -> [1,3,h,w] in [0,1]. Differentiable.
  Tensor resized(const Tensor& image) const;
  /// (x - mean) / std, float32.
  Tensor normalize(const Tensor& image) const;
  /// [1,3,h,w] -> [h/patch * w/patch, 3*temporal*patch*patch]; merge x merge patches after each other.
  Tensor patches(const Tensor& image) const;
};

}  // namespace hijack
