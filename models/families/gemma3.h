#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "models/families/one_size_model.h"
#include "models/network/decoder.h"
#include "models/network/vision_tower.h"

namespace hijack {

/// Gemma 3 with images (Gemma Team 2025), `Gemma3ForConditionalGeneration`; MedGemma is one, too.
struct Gemma3Config {
  VisionConfig vision;
  DecoderConfig text;
  TokenId image_token = 262144, begin_token = 255999, end_token = 256000;  ///< of features, and around them
  int64_t pooled = 4;  ///< so many patches a side become one token

  static Gemma3Config from_json(const nlohmann::json& root);
  int64_t image_tokens() const;
};

/// SigLIP tower, patches averaged in squares, a norm, a projection without bias, and the decoder.
struct Gemma3Network {
  Gemma3Network(const Gemma3Config& config, const ParameterSource& source);
  /// pixels [N,3,h,w] normalized -> [N,T_img,D]
  Tensor image_features(const Tensor& pixels) const;

  Gemma3Config config;
  VisionTower tower;
  RmsNorm norm;
  Linear projector;
  std::shared_ptr<const Decoder> decoder;
};

/// Image tokens see each other in both directions, in sliding layers inside of the window only; everything
/// else is causal, so contexts share the keys and values up to the image's end.
class Gemma3 : public OneSizeModel {
 public:
  Gemma3(std::shared_ptr<const Gemma3Network> network, std::shared_ptr<const Tokenizer> tokenizer,
         const ImageProcessor& processor, ReplyRules rules, std::shared_ptr<const ChatTemplate> chat);

  std::string family() const override { return "gemma3"; }
  Tensor image_features(const Pixels& pixels) const override;
  TowerActivations tower_activations(const Pixels& pixels) const override;

 protected:
  TokenIds image_ids(const Pixels& pixels) const override;
  Prompt prompt(const Pixels& pixels, const Query& query) const override;

 private:
  std::shared_ptr<const Gemma3Network> network_;
};

std::shared_ptr<const VisionLanguageModel> load_gemma3(const std::filesystem::path& folder,
                                                       const nlohmann::json& config, at::Device device,
                                                       at::ScalarType dtype);

}  // namespace hijack
