#pragma once
#include <array>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "models/preprocess/resampler.h"
#include "src/base/tensor.h"

namespace hijack {

/// The image processor of Pixtral and Mistral 3: an image larger than a given size shrinks into it with its
/// proportions, then both sides grow to multiples of the tile, the patches that become one token. Same
/// numbers as transformers' PIL-based processor.
struct PixtralProcessor {
  bool do_resize = true;
  int64_t most_height = 1024, most_width = 1024;  ///< `size.longest_edge`
  int64_t tile = 16;                              ///< pixels a side
  Filter filter = Filter::kBicubic;
  std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std = {0.26862954, 0.26130258, 0.27577711};

  struct Size {
    int64_t height = 0, width = 0;
  };

  /// From the JSON of preprocessor_config.json, or the `image_processor` part of processor_config.json; its
  /// patch_size has no effect, the processor's own goes before. Throws Error for settings this code does not
  /// implement.
  static PixtralProcessor from_json(const nlohmann::json& config, const std::string& where, int64_t tile);

  /// Throws Error for an image so thin that nothing is left of it.
  Size resized_size(int64_t height, int64_t width) const;
  /// image [1,3,H,W] in [0,1] -> [1,3,h,w] in [0,1]. Differentiable.
  Tensor resized(const Tensor& image) const;
  /// (x - mean) / std, float32.
  Tensor normalize(const Tensor& image) const;
};

}  // namespace hijack
