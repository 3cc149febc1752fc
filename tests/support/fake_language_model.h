#pragma once
#include <memory>
#include <string>
#include <vector>

#include "defenses/defense.h"
#include "models/language_model.h"
#include "models/vision_language_model.h"
#include "src/base/error.h"

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
  std::vector<Generated> generate(std::span<const Query> queries,
                                  const GenerateOptions& options) const override;

  mutable std::vector<Query> asked;  ///< every query of every call
  mutable std::vector<GenerateOptions> options_seen;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_ = word_tokenizer({"what", "color", " color", " many", " dogs"});
};

/// A text decoder in the form of a model of its own, which only judges: every token of every target has a
/// negative log-likelihood of 1 nat for "yes", else 2.
class FakeTextModel : public VisionLanguageModel {
 public:
  std::string family() const override { return "fake text"; }
  bool takes_images() const override { return false; }
  ImageSpec image_spec() const override { return {}; }
  const Tokenizer& tokenizer() const override { return language_->tokenizer(); }
  at::Device device() const override { return at::kCPU; }
  Tensor to_input_space(const Tensor&) const override { throw Error("takes no images"); }
  Pixels preprocess(const Tensor&) const override { throw Error("takes no images"); }
  Tensor image_features(const Pixels&) const override { throw Error("takes no images"); }
  std::vector<Tensor> target_logits(const Pixels& pixels, std::span<const Query> queries,
                                    std::span<const TokenIds> targets) const override;
  std::vector<Generated> generate(const Pixels&, std::span<const Query> queries,
                                  const GenerateOptions& options) const override {
    return language_->generate(queries, options);
  }
  TokenIds input_ids(const Pixels&, const Query& query) const override {
    return tokenizer().encode(query.prompt, true);
  }
  std::shared_ptr<const LanguageModel> language_model() const override { return language_; }

  mutable std::vector<Query> asked;  ///< every query of every call of target_logits

 private:
  std::shared_ptr<const FakeLanguageModel> language_ = std::make_shared<FakeLanguageModel>();
};

/// A responder that repeats system text, prompt and the sum of the image, and keeps what it was given.
struct EchoResponder {
  std::shared_ptr<std::vector<Submission>> seen = std::make_shared<std::vector<Submission>>();
  std::vector<Reply> operator()(const std::vector<Submission>& submissions) const;
};

}  // namespace hijack
