#include "models/decoder_language_model.h"

#include "models/shared_prefix.h"

namespace hijack {

DecoderLanguageModel::DecoderLanguageModel(std::shared_ptr<const Decoder> decoder,
                                           std::shared_ptr<const Tokenizer> tokenizer, TokenIds stops,
                                           Render render)
    : decoder_(std::move(decoder)),
      tokenizer_(std::move(tokenizer)),
      stops_(std::move(stops)),
      render_(std::move(render)) {}

Tensor DecoderLanguageModel::prompt_nll(const std::string& text) const {
  const at::NoGradGuard no_gradients;
  const std::string rendered = render_({.prompt = text});
  const size_t begin = rendered.find(text), end = begin + text.size();
  const Encoding encoding = tokenizer_->encode_with_offsets(rendered, /*add_special_tokens=*/true);
  // the tokens that overlap the user's text; its first token has no score
  size_t first = encoding.ids.size(), last = 0;
  for (size_t i = 0; i < encoding.ids.size(); ++i) {
    const auto [from, to] = encoding.offsets[i];
    if (from >= to || to <= begin || from >= end) continue;
    first = std::min(first, i);
    last = i + 1;
  }
  if (last < first + 2) return at::empty({0}, at::kFloat);
  const Prompt prompt{{encoding.ids.begin(), encoding.ids.begin() + static_cast<std::ptrdiff_t>(first) + 1}};
  const TokenIds scored(encoding.ids.begin() + static_cast<std::ptrdiff_t>(first) + 1,
                        encoding.ids.begin() + static_cast<std::ptrdiff_t>(last));
  const Tensor logits =
      shared_prefix_logits(*decoder_, std::span(&prompt, 1), std::span(&scored, 1), {}).front();
  const Tensor ids = at::tensor(scored, at::kLong).to(logits.device());
  return -logits.log_softmax(-1).gather(1, ids.unsqueeze(1)).squeeze(1).cpu();
}

std::vector<std::string> DecoderLanguageModel::generate(std::span<const Query> queries,
                                                        const GenerateOptions& options) const {
  std::vector<Prompt> prompts;
  for (const auto& query : queries) prompts.push_back({tokenizer_->encode(render_(query), true)});
  return shared_prefix_generate(*decoder_, prompts, {}, *tokenizer_, stops_, options);
}

}  // namespace hijack
