#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/families/llava.h"
#include "models/preprocess/anyres_processor.h"

// LLaVA's parts with a photo in several views ("anyres"): what LLaVA-NeXT (Liu et al. 2024) and
// LLaVA-OneVision (Li et al. 2024) have in common. A family adds how its config.json is read.

namespace hijack {

struct AnyresConfig {
  LlavaConfig llava;                               ///< tower, projector, decoder
  std::vector<AnyresProcessor::Size> resolutions;  ///< image_grid_pinpoints
  int64_t max_views = 0;  ///< "anyres_max_9": features beyond those of 9 views are scaled down; 0: never

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
  /// Throws Error when a view's features are no square: a class token that stays, or a patch that is dropped.
  void check_features() const;
};

struct AnyresNetwork {
  AnyresNetwork(const AnyresConfig& config, const ParameterSource& source);
  /// pixels [1 + tiles,3,h,w] normalized, of an image of this size -> [1,T_img,D]: the whole, then the tiles'
  /// features row by row, each row ended by the learned newline. A single view is followed by one newline.
  Tensor image_features(const Tensor& pixels, const AnyresProcessor::Size& image) const;
  /// The same from the features of the views [1 + tiles,n*n,D].
  Tensor arranged(const Tensor& views, const AnyresProcessor::Size& image) const;

  AnyresConfig config;
  LlavaNetwork llava;
  Tensor newline;  // [D]
};

class AnyresModel : public ImagePromptModel {
 public:
  AnyresModel(std::string family, std::shared_ptr<const AnyresNetwork> network,
              std::shared_ptr<const Tokenizer> tokenizer, const AnyresProcessor& processor, ReplyRules rules,
              std::shared_ptr<const ChatTemplate> chat, std::string image_text = "");

  std::string family() const override { return family_; }
  /// Of a square photo.
  ImageSpec image_spec() const override;
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;
  Tensor image_features(const Pixels& pixels) const override;
  TowerActivations tower_activations(const Pixels& pixels) const override;
  /// As AnyresProcessor::OneView says; its features end with one newline.
  std::shared_ptr<const VisionLanguageModel> with_one_view() const override;
  TokenIds end_of_reply() const override;

 protected:
  TokenIds image_ids(const Pixels& pixels) const override;
  std::vector<Tensor> seen_of(std::span<const Pixels> images) const override;

 private:
  std::string family_;
  std::shared_ptr<const AnyresNetwork> network_;
  AnyresProcessor processor_;
};

/// What is left to load when config.json and the processor are read.
struct AnyresParts {
  std::string family;
  AnyresConfig config;
  AnyresProcessor processor;
  LlavaFiles files;
};
std::shared_ptr<const VisionLanguageModel> load_anyres(AnyresParts parts, at::Device device,
                                                       at::ScalarType dtype);

}  // namespace hijack
