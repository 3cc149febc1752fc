#pragma once
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>

#include "models/preprocess/resampler.h"

namespace hijack {

/// The settings of an image processor as transformers writes them, read strictly: one that is neither
/// implemented by the reader's processor nor known to be without effect is an error that names it.
class ProcessorConfig {
 public:
  /// config and where must outlive this object. implemented: the settings that the processor reads.
  ProcessorConfig(const nlohmann::json& config, const std::string& where,
                  const std::set<std::string>& implemented);

  [[noreturn]] void fail(const std::string& what) const;
  /// The value, or nullptr where it is absent or null.
  const nlohmann::json* find(const char* key) const;
  /// null is false; `otherwise` where the key is absent.
  bool flag(const char* key, bool otherwise) const;
  /// A side in pixels, 1..16384. key is for the message.
  int64_t side(const char* key, const nlohmann::json& value) const;
  /// {height, width} from 336, [h, w] or {"height": h, "width": w}.
  std::pair<int64_t, int64_t> height_and_width(const char* key, const nlohmann::json& value) const;
  /// `image_processor_type` without the names of backends ("CLIPImageProcessorFast" ->
  /// "CLIPImageProcessor").
  std::string type(const char* otherwise) const;
  Filter filter(Filter otherwise) const;
  /// rescale_factor must be 1/255; do_normalize false gives mean 0 and std 1.
  void read_normalization(std::array<double, 3>& mean, std::array<double, 3>& std) const;

 private:
  std::array<double, 3> three(const char* key, const std::array<double, 3>& otherwise) const;
  const nlohmann::json& config_;
  const std::string& where_;
};

/// The image processor's JSON in a model folder and the file it is from: `image_processor` inside
/// processor_config.json (transformers 5), else preprocessor_config.json. Throws Error when there is none.
std::pair<nlohmann::json, std::string> processor_json(const std::filesystem::path& folder);

/// (x - mean) / std per channel of [N,3,H,W], float32.
Tensor normalize_channels(const Tensor& image, const std::array<double, 3>& mean,
                          const std::array<double, 3>& std);

}  // namespace hijack
