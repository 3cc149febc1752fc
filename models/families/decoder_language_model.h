#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "models/checkpoint/reply_rules.h"
#include "models/language_model.h"
#include "models/network/decoder.h"

namespace hijack {

/// A decoder with its tokenizer and chat template, without image.
class DecoderLanguageModel : public LanguageModel {
 public:
  using Render = std::function<std::string(const Query&)>;
  DecoderLanguageModel(std::shared_ptr<const Decoder> decoder, std::shared_ptr<const Tokenizer> tokenizer,
                       ReplyRules rules, Render render);
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  Tensor prompt_nll(const std::string& text) const override;
  std::vector<Generated> generate(std::span<const Query> queries,
                                  const GenerateOptions& options) const override;

 private:
  std::shared_ptr<const Decoder> decoder_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  ReplyRules rules_;
  Render render_;
};

/// A text-only folder (`LlamaForCausalLM`, `Qwen2ForCausalLM`, `GemmaForCausalLM`). Its chat template is
/// followed where it is ChatML (Qwen2, SmolLM2) or Gemma's; any other model sees the texts as they are.
std::shared_ptr<const LanguageModel> load_decoder_language_model(const std::filesystem::path& folder,
                                                                 const nlohmann::json& config,
                                                                 at::Device device, at::ScalarType dtype);

}  // namespace hijack
