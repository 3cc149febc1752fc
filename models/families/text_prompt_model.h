#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "models/families/image_prompt_model.h"

namespace hijack {

/// A decoder without images, asked as models with images are: what attacks by text work on (Zou et al. 2023,
/// Jain et al. 2023). Its pixels have no values; whoever hands it an image meets an Error that names the
/// model.
class TextPromptModel : public ImagePromptModel {
 public:
  /// chat: nullptr for a folder without chat template, which sees the texts as they are, each on lines of its
  /// own.
  TextPromptModel(std::string family, std::shared_ptr<const Decoder> decoder,
                  std::shared_ptr<const Tokenizer> tokenizer, ReplyRules rules,
                  std::shared_ptr<const ChatTemplate> chat);

  std::string family() const override { return family_; }
  bool takes_images() const override { return false; }
  ImageSpec image_spec() const override { return {}; }
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;
  Tensor image_features(const Pixels& pixels) const override;
  const HiddenStates* states() const override { return nullptr; }
  TowerActivations tower_activations(const Pixels&) const override { return {}; }
  std::string template_origin() const override;

 protected:
  RenderedPrompt render(const Query& query, bool with_image) const override;
  TokenIds image_ids(const Pixels&) const override { return {}; }
  Prompt prompt(const Pixels& pixels, const Query& query) const override;

 private:
  std::string family_;
  std::shared_ptr<const ChatTemplate> chat_;
};

/// A text-only folder (`LlamaForCausalLM`, `Qwen2ForCausalLM`, `Qwen3ForCausalLM`, `MistralForCausalLM`,
/// `GemmaForCausalLM`).
std::shared_ptr<const VisionLanguageModel> load_text_prompt_model(const std::filesystem::path& folder,
                                                                  const nlohmann::json& config,
                                                                  at::Device device, at::ScalarType dtype);

}  // namespace hijack
