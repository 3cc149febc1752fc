#pragma once
#include <array>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "models/preprocess/resampler.h"
#include "src/base/tensor.h"

namespace hijack {

/// The image processor of Idefics3 and SmolVLM: the longest edge to a given length, then both sides up to
/// multiples of the tile, then (when there is more than one tile) the tiles row by row and a view of the
/// whole. Same numbers as transformers' PIL-based processor.
struct TileProcessor {
  bool do_resize = true;
  int64_t longest_edge = 4 * 364;  ///< `size`; 0: resize to resize_height x resize_width
  int64_t resize_height = 0;
  int64_t resize_width = 0;
  bool split = true;   ///< do_image_splitting; else every image becomes one view
  int64_t tile = 364;  ///< `max_image_size`: side of a view
  Filter filter = Filter::kLanczos;
  std::array<double, 3> mean = {0.5, 0.5, 0.5};
  std::array<double, 3> std = {0.5, 0.5, 0.5};

  /// Tiles beside the global view; 0 x 0 where the image is a single view.
  struct Grid {
    int64_t rows = 0;
    int64_t columns = 0;
    int64_t views() const { return rows * columns + 1; }
  };

  /// From the JSON of preprocessor_config.json, or the `image_processor` part of processor_config.json.
  /// Throws Error for settings this code does not implement.
  static TileProcessor from_json(const nlohmann::json& config, const std::string& where);
  /// Reads whichever of the two files the folder has.
  static TileProcessor from_folder(const std::filesystem::path& folder);

  /// Of an image before preprocessing. Throws Error for one that is too long and thin.
  Grid grid(int64_t height, int64_t width) const;
  /// image [1,3,H,W] in [0,1] -> [1,3,h,w] in [0,1] before it is cut: the space in which attacks work. The
  /// identity on its own results where `longest_edge` is an even multiple of an even `tile`. Differentiable.
  Tensor resized(const Tensor& image) const;
  /// What `resized` gives -> [views,3,tile,tile] in [0,1]: tiles row by row, then the whole.
  Tensor views(const Tensor& resized) const;
  /// (x - mean) / std, float32.
  Tensor normalize(const Tensor& views) const;
};

}  // namespace hijack
