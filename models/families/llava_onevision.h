#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/families/llava.h"
#include "models/preprocess/anyres_processor.h"

namespace hijack {

/// LLaVA-OneVision (Li et al. 2024), `llava_onevision`: LLaVA's parts, with a photo in several views.
struct LlavaOnevisionConfig {
  LlavaConfig llava;                               ///< tower, projector, decoder
  std::vector<AnyresProcessor::Size> resolutions;  ///< image_grid_pinpoints
  int64_t max_views = 9;                           ///< "anyres_max_9": features beyond are scaled down

  static LlavaOnevisionConfig from_json(const nlohmann::json& root);
  int64_t patches_per_side() const { return llava.vision.image_size / llava.vision.patch_size; }

  /// The features of the tiles as one picture: its size with and without the rows and columns that show only
  /// bars, and after scaling down. In features.
  struct Layout {
    AnyresProcessor::Size filled;
    int64_t top = 0, left = 0;
    AnyresProcessor::Size unpadded;
    AnyresProcessor::Size scaled;
  };
  /// Of an image before preprocessing.
  Layout layout(const AnyresProcessor::Size& image) const;
};

struct LlavaOnevisionNetwork {
  LlavaOnevisionNetwork(const LlavaOnevisionConfig& config, const ParameterSource& source);
  /// pixels [1 + tiles,3,h,w] normalized, of an image of this size -> [1,T_img,D]: the whole, then the tiles'
  /// features row by row, each row ended by the learned newline. A single view is followed by one newline.
  Tensor image_features(const Tensor& pixels, const AnyresProcessor::Size& image) const;

  LlavaOnevisionConfig config;
  LlavaNetwork llava;
  Tensor newline;  // [D]
};

class LlavaOnevision : public ImagePromptModel {
 public:
  LlavaOnevision(std::shared_ptr<const LlavaOnevisionNetwork> network,
                 std::shared_ptr<const Tokenizer> tokenizer, const AnyresProcessor& processor,
                 ReplyRules rules, std::shared_ptr<const ChatTemplate> chat);

  std::string family() const override { return "llava_onevision"; }
  /// Of a square photo.
  ImageSpec image_spec() const override;
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;
  Tensor image_features(const Pixels& pixels) const override;
  TowerActivations tower_activations(const Pixels& pixels) const override;
  /// The photo padded to a square, as each of several images; its features end with one newline.
  std::shared_ptr<const VisionLanguageModel> with_one_view() const override;
  TokenIds end_of_reply() const override;

 protected:
  TokenIds image_ids(const Pixels& pixels) const override;

 private:
  std::shared_ptr<const LlavaOnevisionNetwork> network_;
  AnyresProcessor processor_;
};

std::shared_ptr<const VisionLanguageModel> load_llava_onevision(const std::filesystem::path& folder,
                                                                const nlohmann::json& config,
                                                                at::Device device, at::ScalarType dtype);

}  // namespace hijack
