#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "models/families/one_size_model.h"
#include "models/network/decoder.h"
#include "models/network/vision_tower.h"

namespace hijack {

/// PaliGemma (Beyer et al. 2024) and PaliGemma 2 (Steiner et al. 2024), `PaliGemmaForConditionalGeneration`
/// with a decoder of Gemma 1 or Gemma 2.
struct PaliGemmaConfig {
  VisionConfig vision;
  DecoderConfig text;
  TokenId image_token = 256000;

  static PaliGemmaConfig from_json(const nlohmann::json& root);
};

/// Tower, linear projector and decoder. As in transformers 5, image features are not scaled, while token
/// embeddings are multiplied by sqrt(width).
struct PaliGemmaNetwork {
  PaliGemmaNetwork(const PaliGemmaConfig& config, const ParameterSource& source);
  /// pixels [N,3,h,w] normalized -> [N,T_img,D]
  Tensor image_features(const Tensor& pixels) const;

  PaliGemmaConfig config;
  VisionTower tower;
  Linear projector;
  std::shared_ptr<const Decoder> decoder;
};

/// Image and prompt see each other in both directions, so contexts share the vision pass but no prefix of the
/// decoder. There is no chat template: the texts of a query stand on lines of their own.
class PaliGemma : public OneSizeModel {
 public:
  /// begin: the begin token's text ("<bos>").
  PaliGemma(std::shared_ptr<const PaliGemmaNetwork> network, std::shared_ptr<const Tokenizer> tokenizer,
            const ImageProcessor& processor, ReplyRules rules, std::string begin);

  std::string family() const override { return "paligemma"; }
  Tensor image_features(const Pixels& pixels) const override;
  TowerActivations tower_activations(const Pixels& pixels) const override;

 protected:
  RenderedPrompt render(const Query& query, bool with_image) const override;
  TokenIds image_ids(const Pixels& pixels) const override;
  Prompt prompt(const Pixels& pixels, const Query& query) const override;

 private:
  std::shared_ptr<const PaliGemmaNetwork> network_;
  std::string begin_;
};

std::shared_ptr<const VisionLanguageModel> load_paligemma(const std::filesystem::path& folder,
                                                          const nlohmann::json& config, at::Device device,
                                                          at::ScalarType dtype);

}  // namespace hijack
