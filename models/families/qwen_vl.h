#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "models/families/image_prompt_model.h"
#include "models/network/decoder.h"
#include "models/network/qwen_vl_tower.h"
#include "models/preprocess/patch_processor.h"

// What the Qwen-VL families have in common: a tower for images of any size, a decoder with M-RoPE, and the
// names of both in checkpoints.

namespace hijack {

/// What a family is besides the common part.
struct QwenVlGeneration {
  const char* family;     ///< model_type
  const char* text_type;  ///< model_type of the decoder
  QwenVlVisionConfig (*vision)(const nlohmann::json&);
  const PublishedTemplate& published;
};

struct QwenVlConfig {
  QwenVlVisionConfig vision;
  DecoderConfig text;
  TokenId image_token = 151655;

  /// The decoder is in text_config (transformers 5) or, as on the hub, in the root. Throws Error where tower
  /// and decoder differ in width.
  static QwenVlConfig from_json(const nlohmann::json& root, const QwenVlGeneration& generation);
};

/// Tower and decoder as functions of tensors.
struct QwenVlNetwork {
  QwenVlNetwork(const QwenVlConfig& config, const ParameterSource& source);

  QwenVlConfig config;
  QwenVlTower tower;
  std::shared_ptr<const Decoder> decoder;
};

/// The number of image tokens follows the photo's size: to_input_space keeps the proportions, and any size
/// that it gives is one at which an attack works. Pixels are patches, [P, 3*2*14*14], each frame of the still
/// image apart.
class QwenVl : public ImagePromptModel {
 public:
  /// family: the model_type.
  QwenVl(std::string family, std::shared_ptr<const QwenVlNetwork> network,
         std::shared_ptr<const Tokenizer> tokenizer, const PatchProcessor& processor, ReplyRules rules,
         std::shared_ptr<const ChatTemplate> chat);

  std::string family() const override { return family_; }
  /// Of a square photo of about 448 x 448 pixels, as far as the processor's limits allow.
  ImageSpec image_spec() const override;
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;
  Tensor image_features(const Pixels& pixels) const override;
  TowerActivations tower_activations(const Pixels& pixels) const override;
  std::shared_ptr<const VisionLanguageModel> with_max_pixels(int64_t pixels) const override;

 protected:
  Tensor seen(const Pixels& pixels) const override;
  /// Images of one size in one pass of the tower.
  std::vector<Tensor> seen_of(std::span<const Pixels> images) const override;
  TokenIds image_ids(const Pixels& pixels) const override;
  Prompt prompt(const Pixels& pixels, const Query& query) const override;

 private:
  /// Of patches.
  PatchProcessor::Size grid(const Pixels& pixels) const;

  std::string family_;
  std::shared_ptr<const QwenVlNetwork> network_;
  PatchProcessor processor_;
};

/// Rotary positions [3,tokens] (time, height, width) of text before an image, an image of rows x columns
/// tokens from place `image` on, and text; the text after the image goes on from its longer side.
Tensor mrope_positions(int64_t tokens, int64_t image, int64_t rows, int64_t columns);

/// The names that this version of the code uses (those of transformers 5, with one name for the layers of all
/// mergers) for the names of any version and generation.
std::string canonical_qwen_vl_name(const std::string& stored);

/// Throws Error for a processor that does not fit the tower.
std::shared_ptr<const VisionLanguageModel> load_qwen_vl(const std::filesystem::path& folder,
                                                        const nlohmann::json& json,
                                                        const QwenVlGeneration& generation, at::Device device,
                                                        at::ScalarType dtype);

}  // namespace hijack
