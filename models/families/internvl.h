#pragma once
#include <filesystem>
#include <memory>

#include "models/checkpoint/safetensors.h"
#include "models/families/image_prompt_model.h"
#include "models/network/decoder.h"
#include "models/network/vision_tower.h"
#include "models/preprocess/got_ocr2_processor.h"

namespace hijack {

/// InternVL 2.5, 3 and 3.5 (Chen et al. 2023, Zhu et al. 2025) as transformers has them: `internvl`.
struct InternVlConfig {
  VisionConfig vision;
  DecoderConfig text;
  TokenId image_token = 151667;
  int64_t feature_blocks = 24;  ///< blocks of the tower before the features
  int64_t merge = 2;            ///< 1 / downsample_ratio: this many patches a side become one token
  Activation projector_activation = Activation::kGelu;

  static InternVlConfig from_json(const nlohmann::json& root);
  int64_t tokens_per_view() const;
};

/// InternViT, pixel shuffle, projector and decoder.
struct InternVlNetwork {
  InternVlNetwork(const InternVlConfig& config, const ParameterSource& source);
  /// pixels [views,3,s,s] normalized -> [1,views*T,D]
  Tensor image_features(const Tensor& pixels) const;

  InternVlConfig config;
  VisionTower tower;
  LayerNorm norm;
  Linear project1, project2;
  std::shared_ptr<const Decoder> decoder;
};

/// An image is a grid of tiles and, where that is more than one, a view of the whole. The input space is the
/// image that is cut, whose size depends on the photo's proportions.
class InternVl : public ImagePromptModel {
 public:
  /// begin, end: the tokens around an image's features.
  InternVl(std::shared_ptr<const InternVlNetwork> network, std::shared_ptr<const Tokenizer> tokenizer,
           const GotOcr2Processor& processor, ReplyRules rules, std::shared_ptr<const ChatTemplate> chat,
           TokenId begin, TokenId end);

  std::string family() const override { return "internvl"; }
  /// Of a square photo of one tile.
  ImageSpec image_spec() const override;
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;
  Tensor image_features(const Pixels& pixels) const override;
  TowerActivations tower_activations(const Pixels& pixels) const override;
  /// As crop_to_patches false.
  std::shared_ptr<const VisionLanguageModel> with_one_view() const override;
  TokenIds end_of_reply() const override;

 protected:
  TokenIds image_ids(const Pixels& pixels) const override;
  std::vector<Tensor> seen_of(std::span<const Pixels> images) const override {
    return seen_side_by_side(images);
  }

 private:
  std::shared_ptr<const InternVlNetwork> network_;
  GotOcr2Processor processor_;
  TokenId begin_, end_;
};

std::shared_ptr<const VisionLanguageModel> load_internvl(const std::filesystem::path& folder,
                                                         const nlohmann::json& config, at::Device device,
                                                         at::ScalarType dtype);

}  // namespace hijack
