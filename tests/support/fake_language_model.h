#pragma once
#include <memory>
#include <string>
#include <vector>

#include "defenses/defense.h"
#include "models/language_model.h"

namespace hijack {

/// Words are tokens; ids are given in order of appearance in `words`, unknown words are spelled in bytes.
/// BPE-dropout splits a word into its bytes with the given probability.
std::shared_ptr<const Tokenizer> word_tokenizer(std::vector<std::string> words);

/// A language model whose answers are known: a token "2.5" has a negative log-likelihood of 2.5 nats, any
/// other word of 1; a reply is "again(SEED) " and the prompt, or the empty text for prompts that contain
/// "silence"; cut where the prompt contains "endless".
class FakeLanguageModel : public LanguageModel {
 public:
  const Tokenizer& tokenizer() const override { return *tokenizer_; }
  Tensor prompt_nll(const std::string& text) const override;
  /// Every token of every target has this negative log-likelihood in nats: 1 for "yes", else 2.
  std::vector<Tensor> target_logits(std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override;
  std::vector<Generated> generate(std::span<const Query> queries,
                                  const GenerateOptions& options) const override;

  mutable std::vector<Query> asked;  ///< every query of every call
  mutable std::vector<GenerateOptions> options_seen;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_ = word_tokenizer({"what", "color", " color", " many", " dogs"});
};

/// A responder that repeats system text, prompt and the sum of the image, and keeps what it was given.
struct EchoResponder {
  std::shared_ptr<std::vector<Submission>> seen = std::make_shared<std::vector<Submission>>();
  std::vector<Reply> operator()(const std::vector<Submission>& submissions) const;
};

}  // namespace hijack
