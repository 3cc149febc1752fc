#pragma once
#include <array>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "models/preprocess/resampler.h"
#include "src/base/tensor.h"

namespace hijack {

/// The image processor of InternVL (GotOcr2ImageProcessor): the photo is squashed onto a grid of tiles whose
/// proportions are closest to its own; where that is more than one tile, a view of the whole comes last. Same
/// numbers as transformers' PIL-based processor, as InternVLProcessor calls it: with crop_to_patches,
/// whatever the file says of it.
struct GotOcr2Processor {
  int64_t height = 384, width = 384;  ///< `size`: of a tile
  bool do_resize = true;              ///< where there is only one view
  int64_t min_tiles = 1;              ///< min_patches
  int64_t max_tiles = 12;             ///< max_patches; 1: every image is one view
  Filter filter = Filter::kBicubic;
  std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std = {0.26862954, 0.26130258, 0.27577711};

  struct Grid {
    int64_t rows = 1;
    int64_t columns = 1;
    int64_t views() const { return rows * columns + (rows * columns > 1 ? 1 : 0); }
  };

  /// From the JSON of preprocessor_config.json, or the `image_processor` part of processor_config.json.
  /// Throws Error for settings this code does not implement.
  static GotOcr2Processor from_json(const nlohmann::json& config, const std::string& where);
  /// Reads whichever of the two files the folder has.
  static GotOcr2Processor from_folder(const std::filesystem::path& folder);

  /// Of an image before preprocessing; 1 x 1 for one view.
  Grid grid(int64_t height, int64_t width) const;
  /// image [1,3,H,W] in [0,1] -> the size of its grid, [1,3,h,w] in [0,1]: the space in which attacks work.
  /// The identity on its own results. Differentiable.
  Tensor resized(const Tensor& image) const;
  /// image [1,3,H,W] in [0,1] -> [views,3,height,width] in [0,1]: tiles row by row, then the whole.
  Tensor views(const Tensor& image) const;
  /// (x - mean) / std, float32.
  Tensor normalize(const Tensor& views) const;
};

}  // namespace hijack
