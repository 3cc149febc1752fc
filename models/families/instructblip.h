#pragma once
#include <filesystem>
#include <memory>
#include <optional>

#include "models/checkpoint/safetensors.h"
#include "models/families/one_size_model.h"
#include "models/network/decoder.h"
#include "models/network/qformer.h"
#include "models/network/vision_tower.h"

namespace hijack {

/// InstructBLIP (Dai et al. 2023) over Vicuna, `instructblip`.
struct InstructBlipConfig {
  VisionConfig vision;
  QFormerConfig qformer;
  DecoderConfig text;
  int64_t queries = 32;                ///< num_query_tokens: image tokens of the prompt
  std::optional<TokenId> image_token;  ///< first versions of the folders name none

  static InstructBlipConfig from_json(const nlohmann::json& root);
};

/// EVA tower, Q-Former, projection and decoder.
struct InstructBlipNetwork {
  InstructBlipNetwork(const InstructBlipConfig& config, const ParameterSource& source);
  /// pixels [1,3,h,w] normalized -> what the tower sees, [1,T,D_tower], class token included
  Tensor seen(const Tensor& pixels) const;
  /// seen [1,T,D_tower], question int64 [L] -> [1,Q,D]
  Tensor image_features(const Tensor& seen, const Tensor& question) const;

  InstructBlipConfig config;
  VisionTower tower;
  Tensor queries;  // [1,Q,D_qformer]
  QFormer qformer;
  Linear projection;
  std::shared_ptr<const Decoder> decoder;
};

/// The Q-Former reads the question, so the image's tokens depend on it: prompts share what the tower has seen
/// and nothing of the decoder. There is no chat template: the texts of a query stand on lines of their own,
/// the image's tokens before the begin token.
class InstructBlip : public OneSizeModel {
 public:
  InstructBlip(std::shared_ptr<const InstructBlipNetwork> network, std::shared_ptr<const Tokenizer> tokenizer,
               std::shared_ptr<const Tokenizer> question_tokenizer, const ImageProcessor& processor,
               TokenId image_token, ReplyRules rules);

  std::string family() const override { return "instructblip"; }
  /// Where nothing is asked.
  Tensor image_features(const Pixels& pixels) const override;
  TowerActivations tower_activations(const Pixels& pixels) const override;
  bool image_follows_question() const override { return true; }

 protected:
  RenderedPrompt render(const Query& query, bool with_image) const override;
  TokenIds image_ids(const Pixels& pixels) const override;
  Prompt prompt(const Pixels& pixels, const Query& query) const override;
  Tensor seen(const Pixels& pixels) const override;
  Tensor features_for(const Tensor& seen, const Query& query) const override;

 private:
  std::shared_ptr<const InstructBlipNetwork> network_;
  std::shared_ptr<const Tokenizer> question_tokenizer_;
};

std::shared_ptr<const VisionLanguageModel> load_instructblip(const std::filesystem::path& folder,
                                                             const nlohmann::json& config, at::Device device,
                                                             at::ScalarType dtype);

}  // namespace hijack
