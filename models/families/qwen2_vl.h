#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "models/families/image_prompt_model.h"
#include "models/network/decoder.h"
#include "models/network/qwen2_vl_tower.h"
#include "models/preprocess/patch_processor.h"

namespace hijack {

/// Qwen2-VL (Wang et al. 2024), `Qwen2VLForConditionalGeneration`.
struct Qwen2VlConfig {
  Qwen2VlVisionConfig vision;
  DecoderConfig text;
  TokenId image_token = 151655;

  /// With a text_config (transformers 5) or without, as on the hub.
  static Qwen2VlConfig from_json(const nlohmann::json& root);
};

/// Tower and decoder as functions of tensors.
struct Qwen2VlNetwork {
  Qwen2VlNetwork(const Qwen2VlConfig& config, const ParameterSource& source);

  Qwen2VlConfig config;
  Qwen2VlTower tower;
  std::shared_ptr<const Decoder> decoder;
};

/// The number of image tokens follows the photo's size: to_input_space keeps the proportions, and any size
/// that it gives is one at which an attack works. Pixels are patches, [P, 3*2*14*14], each frame of the still
/// image apart.
class Qwen2Vl : public ImagePromptModel {
 public:
  /// system: what the chat template writes as system turn where the query has none; "" for nothing.
  Qwen2Vl(std::shared_ptr<const Qwen2VlNetwork> network, std::shared_ptr<const Tokenizer> tokenizer,
          const PatchProcessor& processor, ReplyRules rules, std::shared_ptr<const ChatTemplate> chat);

  std::string family() const override { return "qwen2_vl"; }
  /// Of a square photo of about 448 x 448 pixels, as far as the processor's limits allow.
  ImageSpec image_spec() const override;
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;
  Tensor image_features(const Pixels& pixels) const override;
  TowerActivations tower_activations(const Pixels& pixels) const override;
  std::shared_ptr<const VisionLanguageModel> with_max_pixels(int64_t pixels) const override;

 protected:
  TokenIds image_ids(const Pixels& pixels) const override;
  Prompt prompt(const Pixels& pixels, const Query& query) const override;

 private:
  /// Of patches.
  PatchProcessor::Size grid(const Pixels& pixels) const;

  std::shared_ptr<const Qwen2VlNetwork> network_;
  PatchProcessor processor_;
};

/// Rotary positions [3,tokens] (time, height, width) of text before an image, an image of rows x columns
/// tokens from place `image` on, and text; the text after the image goes on from its longer side.
Tensor mrope_positions(int64_t tokens, int64_t image, int64_t rows, int64_t columns);

/// The names that this version of the code uses (transformers 5) for the names of any version.
std::string canonical_qwen2_vl_name(const std::string& stored);

std::shared_ptr<const VisionLanguageModel> load_qwen2_vl(const std::filesystem::path& folder,
                                                         const nlohmann::json& config, at::Device device,
                                                         at::ScalarType dtype);

}  // namespace hijack
