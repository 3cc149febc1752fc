#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "models/families/image_prompt_model.h"
#include "models/network/decoder.h"
#include "models/network/pixtral_tower.h"
#include "models/preprocess/pixtral_processor.h"

namespace hijack {

/// Mistral Small 3.1 and its like, `Mistral3ForConditionalGeneration`.
struct Mistral3Config {
  PixtralVisionConfig vision;
  DecoderConfig text;
  TokenId image_token = 10;
  int64_t merge = 2;         ///< merge x merge patches become one token
  int64_t layers_used = 24;  ///< blocks of the tower before the feature layer
  bool projector_bias = false;
  Activation projector_activation = Activation::kGelu;

  static Mistral3Config from_json(const nlohmann::json& root);
};

/// Tower, norm, merger of patches, two linear layers and the decoder.
struct Mistral3Network {
  Mistral3Network(const Mistral3Config& config, const ParameterSource& source);
  /// pixels [N,3,h,w] normalized -> [N,T_img,D]
  Tensor image_features(const Tensor& pixels) const;

  Mistral3Config config;
  PixtralTower tower;
  RmsNorm norm;
  Linear merger, project1, project2;
  std::shared_ptr<const Decoder> decoder;
};

/// The number of image tokens follows the photo's size; each row of them ends with a token of its own.
class Mistral3 : public ImagePromptModel {
 public:
  /// row_end, image_end: the tokens behind each row, and behind the last one.
  Mistral3(std::shared_ptr<const Mistral3Network> network, std::shared_ptr<const Tokenizer> tokenizer,
           const PixtralProcessor& processor, ReplyRules rules, std::shared_ptr<const ChatTemplate> chat,
           TokenId row_end, TokenId image_end);

  std::string family() const override { return "mistral3"; }
  /// Of a square photo of about 448 x 448 pixels, as far as the processor's limits allow.
  ImageSpec image_spec() const override;
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;
  Tensor image_features(const Pixels& pixels) const override;
  TowerActivations tower_activations(const Pixels& pixels) const override;

 protected:
  TokenIds image_ids(const Pixels& pixels) const override;
  std::vector<Tensor> seen_of(std::span<const Pixels> images) const override {
    return seen_side_by_side(images);
  }

 private:
  std::shared_ptr<const Mistral3Network> network_;
  PixtralProcessor processor_;
  TokenId row_end_, image_end_;
};

std::shared_ptr<const VisionLanguageModel> load_mistral3(const std::filesystem::path& folder,
                                                         const nlohmann::json& config, at::Device device,
                                                         at::ScalarType dtype);

}  // namespace hijack
