#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "models/chat_template/chat_template.h"
#include "models/checkpoint/reply_rules.h"
#include "models/language_model.h"
#include "models/network/decoder.h"
#include "models/prefix/shared_prefix.h"

namespace hijack {

/// A decoder with its tokenizer and chat template, without image.
class DecoderLanguageModel : public LanguageModel {
 public:
  using Render = std::function<RenderedPrompt(const Query&)>;
  DecoderLanguageModel(std::shared_ptr<const Decoder> decoder, std::shared_ptr<const Tokenizer> tokenizer,
                       ReplyRules rules, Render render, std::string template_origin);
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  std::string template_origin() const override { return template_origin_; }
  Tensor prompt_nll(const std::string& text) const override;
  std::vector<Tensor> prompt_nlls(std::span<const std::string> texts) const override;
  std::vector<Generated> generate(std::span<const Query> queries,
                                  const GenerateOptions& options) const override;
  /// Float32 logits [T_i,V] that predict targets[i] after queries[i], without gradients.
  std::vector<Tensor> target_logits(std::span<const Query> queries, std::span<const TokenIds> targets) const;
  /// The token ids of a query as the decoder sees them.
  TokenIds input_ids(const Query& query) const;

 private:
  std::vector<Prompt> prompts_of(std::span<const Query> queries) const;
  struct Scored;
  /// The tokens of a text inside the chat template; place: of texts in it.
  Scored scored(const std::string& text, std::pair<size_t, size_t> place) const;

  std::shared_ptr<const Decoder> decoder_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  ReplyRules rules_;
  Render render_;
  std::string template_origin_;
};

/// The class default of eos_token_id of a decoder's model_type, which files of the hub may leave out.
TokenIds class_stops(const std::string& model_type);

/// A decoder whose weights are a folder's under the names model.* and lm_head.*, frozen.
std::shared_ptr<const Decoder> read_text_decoder(const std::filesystem::path& folder, DecoderConfig config,
                                                 at::Device device, at::ScalarType dtype);

/// The decoder of a text-only folder, frozen.
std::shared_ptr<const Decoder> load_text_decoder(const std::filesystem::path& folder,
                                                 const nlohmann::json& config, at::Device device,
                                                 at::ScalarType dtype);
/// How such a folder's replies end.
ReplyRules text_reply_rules(const std::filesystem::path& folder, const nlohmann::json& config);

}  // namespace hijack
