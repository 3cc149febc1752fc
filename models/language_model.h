#pragma once
#include <span>
#include <string>
#include <vector>

#include "models/query.h"
#include "models/tokenizer.h"
#include "src/base/tensor.h"

namespace hijack {

/// A text-only causal language model: what defenses that read prompts and replies need.
class LanguageModel {
 public:
  virtual ~LanguageModel() = default;
  virtual const Tokenizer& tokenizer() const = 0;
  /// Where the chat template is from; "" for none.
  virtual std::string template_origin() const { return {}; }

  /// Negative log-likelihood in nats of each token of `text` but the first, given those before it, float32
  /// CPU [L-1]. `text` is scored where the model meets user prompts: inside its chat template, without image.
  /// Empty for texts of fewer than two tokens.
  virtual Tensor prompt_nll(const std::string& text) const = 0;
  /// The same of several texts, where the model can in passes over many of them.
  virtual std::vector<Tensor> prompt_nlls(std::span<const std::string> texts) const {
    std::vector<Tensor> all;
    for (const std::string& text : texts) all.push_back(prompt_nll(text));
    return all;
  }

  /// One reply for each query, decoded together where the model can; says of each whether it was cut.
  virtual std::vector<Generated> generate(std::span<const Query> queries,
                                          const GenerateOptions& options) const = 0;
};

}  // namespace hijack
