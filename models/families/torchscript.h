#pragma once
#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/families/one_size_model.h"

// A user's own network as TorchScript (torch.jit.trace or torch.jit.script), where no family fits. The folder
// has, as Hugging Face folders do, tokenizer.json and preprocessor_config.json (a CLIP or SigLIP processor),
// the archive, and a config.json of its own form:
//
//   {"model_type": "torchscript", "script": "model.pt",
//    "prompt": "USER: <image>\n{prompt} ASSISTANT:",   the user's turn; the image token stands in it once
//    "image_token": "<image>", "image_tokens": 16,      image_tokens: whole models only
//    "max_position_embeddings": 2048, "eos_token_id": 2,
//    "decoder": "decoder"}                              a text-only folder inside; then the script is a tower
//
// Whole model: forward(input_ids int64 [1,L], pixel_values float32 [1,3,h,w]) -> logits [1,L,V]. The image
// token is repeated image_tokens times in input_ids; logits at i predict token i + 1. Tower:
// forward(pixel_values float32 [1,3,h,w]) -> features [1,T,D] with D the decoder's width. Both must be
// differentiable to the pixels. samples/export_torchscript.py writes such a folder. An archive is a program:
// load only those of people you trust.

namespace hijack {

/// What all queries of such a model are rendered with: {prompt} is the query's texts, each on lines of its
/// own.
struct ScriptPrompt {
  std::string pattern;
  std::string image_token;
  std::string render(const Query& query, bool with_image) const;
};

class ScriptModule;

/// A tower and projector before a decoder of this library: everything that the other families can do.
class TorchScriptTower : public OneSizeModel {
 public:
  TorchScriptTower(std::shared_ptr<const Decoder> decoder, std::shared_ptr<const Tokenizer> tokenizer,
                   std::shared_ptr<const ScriptModule> tower, const ImageProcessor& processor,
                   ScriptPrompt prompt, TokenId image_token, ReplyRules rules);

  std::string family() const override { return "torchscript"; }
  Tensor image_features(const Pixels& pixels) const override;
  /// Unknown: a script does not say what it keeps.
  TowerActivations tower_activations(const Pixels&) const override { return {}; }

 protected:
  RenderedPrompt render(const Query& query, bool with_image) const override;
  TokenIds image_ids(const Pixels& pixels) const override;
  /// One after the other: a script may know one image only.
  std::vector<Tensor> seen_of(std::span<const Pixels> images) const override {
    return ImagePromptModel::seen_of(images);
  }

 private:
  std::shared_ptr<const ScriptModule> tower_;
  ScriptPrompt prompt_;
  int64_t image_tokens_ = 0;
};

/// A whole model as one script: every token of a reply is a full pass, and contexts share nothing. It has no
/// image features and no decoder of its own to offer: image_features and language_model throw Error.
class TorchScriptModel : public VisionLanguageModel {
 public:
  struct Settings {
    ScriptPrompt prompt;
    TokenId image_token = 0;
    int64_t image_tokens = 0;
    int64_t max_positions = 2048;
    ReplyRules rules;
  };
  TorchScriptModel(std::shared_ptr<const ScriptModule> script, std::shared_ptr<const Tokenizer> tokenizer,
                   const ImageProcessor& processor, Settings settings);

  std::string family() const override { return "torchscript"; }
  ImageSpec image_spec() const override;
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  at::Device device() const override;
  Tensor to_input_space(const Tensor& image) const override;
  Pixels preprocess(const Tensor& image) const override;
  Tensor image_features(const Pixels& pixels) const override;
  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override;
  /// Greedy; throws Error for a temperature.
  std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                  const GenerateOptions& options) const override;
  TokenIds input_ids(const Pixels& pixels, const Query& query) const override;
  std::shared_ptr<const LanguageModel> language_model() const override;
  TokenIds end_of_reply() const override;

 private:
  /// Logits [L,V] in float32.
  Tensor logits(const Tensor& pixels, const TokenIds& ids) const;
  Generated reply(const Pixels& pixels, size_t index, const Query& query,
                  const GenerateOptions& options) const;

  std::shared_ptr<const ScriptModule> script_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  ImageProcessor processor_;
  Settings settings_;
};

std::shared_ptr<const VisionLanguageModel> load_torchscript(const std::filesystem::path& folder,
                                                            const nlohmann::json& config, at::Device device,
                                                            at::ScalarType dtype);

}  // namespace hijack
