#pragma once
#include <functional>

#include "tests/support/toy_model.h"

namespace hijack {

/// A toy model whose replies are given: words, then an end token that counts as one more; cut where that is
/// more than max_new_tokens. Logits and gradients stay the toy's, which takes targets of up to 12 tokens.
class ScriptedModel : public ToyModel {
 public:
  /// image [1,3,16,16] in [0,1], as far as rounding lets it be told from the pixels.
  using Script = std::function<std::string(const Tensor& image, const Query& query)>;
  explicit ScriptedModel(Script script) : script_(std::move(script)) {}

  std::vector<Generated> generate(const Pixels& pixels, std::span<const Query> queries,
                                  const GenerateOptions& options) const override {
    std::vector<Generated> replies;
    for (const Query& query : queries) {
      std::istringstream words(script_(pixels.values / 2 + 0.5, query));
      Generated reply;
      int64_t tokens = 0;
      for (std::string word; words >> word && !reply.cut; ++tokens) {
        reply.cut = tokens == options.max_new_tokens;
        if (!reply.cut) reply.text += (tokens == 0 ? "" : " ") + word;
      }
      reply.cut = reply.cut || tokens >= options.max_new_tokens;
      replies.push_back(std::move(reply));
      longest_asked.push_back(options.max_new_tokens);
    }
    return replies;
  }

  mutable std::vector<int64_t> longest_asked;  ///< of every query

 private:
  Script script_;
};

}  // namespace hijack
