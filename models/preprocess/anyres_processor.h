#pragma once
#include <array>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "models/preprocess/resampler.h"
#include "src/base/tensor.h"

namespace hijack {

/// The image processor of LLaVA-NeXT and LLaVA-OneVision ("anyres"): of a list of resolutions, all made of
/// square tiles, the one that fits the photo best is filled with the resized photo and black bars, then cut
/// into tiles; the photo squeezed into one tile comes first. Same numbers as transformers' PIL-based
/// processor.
struct AnyresProcessor {
  struct Size {
    int64_t height = 0;
    int64_t width = 0;
    bool operator==(const Size&) const = default;
  };

  enum class OneView {
    kSquare,    ///< in a square of the mean color: what OneVision makes of each image of several
    kSqueezed,  ///< the first of several views
  };
  /// What the class of a family sets where its file does not.
  struct Class {
    const char* type;  ///< image_processor_type
    int64_t tile;
    int64_t crop;  ///< crop_size; 0: none
    OneView one_view;
    std::vector<Size> (*resolutions)(int64_t tile, const std::string& where);
  };

  std::vector<Size> resolutions;  ///< image_grid_pinpoints
  bool one_view = false;
  OneView one_view_kind = OneView::kSquare;
  bool resizes = true, normalizes = true;  ///< do_resize and do_normalize, of which kSquare needs both
  int64_t tile = 384;                      ///< side of a view
  Filter filter = Filter::kBicubic;
  std::array<double, 3> mean{};
  std::array<double, 3> std{};

  /// From the JSON of preprocessor_config.json, or the `image_processor` part of processor_config.json.
  /// Throws Error for settings this code does not implement.
  static AnyresProcessor from_json(const nlohmann::json& config, const std::string& where,
                                   const Class& defaults);
  /// Reads whichever of the two files the folder has.
  static AnyresProcessor from_folder(const std::filesystem::path& folder, const Class& defaults);

  /// Of an image before preprocessing: the resolution that is filled, and the size of the photo inside it.
  Size best_resolution(const Size& image) const;
  Size fitted(const Size& image) const;
  /// image [1,3,H,W] in [0,1] -> [1,3,h,w], `fitted` into the best resolution, without bars; or the one view:
  /// the space in which attacks work. Differentiable.
  Tensor fit(const Tensor& image) const;
  /// image [1,3,H,W] in [0,1] -> [1 + tiles,3,tile,tile] in [0,1]: the whole, then the tiles row by row;
  /// or [1,3,tile,tile].
  /// Differentiable.
  Tensor views(const Tensor& image) const;
  /// (x - mean) / std, float32.
  Tensor normalize(const Tensor& views) const;
};

/// Resolutions as config.json and processors list them: [[height, width], ...], each a multiple of `tile`.
std::vector<AnyresProcessor::Size> read_resolutions(const nlohmann::json& pinpoints, int64_t tile,
                                                    const std::string& where);
/// What LLaVA-OneVision has where no file says: 384..2304 in steps of 384. Throws Error when `tile` does not
/// divide 384.
std::vector<AnyresProcessor::Size> onevision_resolutions(int64_t tile, const std::string& where);
/// What LLaVA-NeXT has: five of two to four views of 336 pixels. Throws Error for another tile.
std::vector<AnyresProcessor::Size> llava_next_resolutions(int64_t tile, const std::string& where);

extern const AnyresProcessor::Class kLlavaOnevisionProcessor, kLlavaNextProcessor;

/// The choice among them: most pixels of the photo kept, then fewest wasted.
AnyresProcessor::Size select_resolution(const std::vector<AnyresProcessor::Size>& resolutions,
                                        const AnyresProcessor::Size& image);

}  // namespace hijack
