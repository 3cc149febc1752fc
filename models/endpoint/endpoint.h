#pragma once
#include <memory>

#include "models/endpoint/client.h"
#include "models/language_model.h"

namespace hijack {

/// A language model behind an HTTP endpoint. `generate` asks POST /chat/completions, as many queries at once
/// as its client may; `prompt_nll` asks POST /completions with echo and logprobs, and scores the bare text,
/// outside any chat template. vLLM and llama-cpp-python's server offer that; llama.cpp's own server and most
/// services score what they write only, and an Error says so. There is no tokenizer. All methods throw as
/// EndpointClient does.
class EndpointModel : public LanguageModel {
 public:
  explicit EndpointModel(std::shared_ptr<const EndpointClient> client) : client_(std::move(client)) {}
  /// first_wait: seconds before the second try. Throws Error as EndpointClient.
  explicit EndpointModel(const EndpointParameters& parameters, double first_wait = 0.5)
      : EndpointModel(std::make_shared<const EndpointClient>(
            parameters, AskingLimits{.concurrency = 1, .budget = {}, .stop = {}, .first_wait = first_wait})) {
  }

  const Tokenizer& tokenizer() const override;
  Tensor prompt_nll(const std::string& text) const override;
  std::vector<Generated> generate(std::span<const Query> queries,
                                  const GenerateOptions& options) const override;

 private:
  std::shared_ptr<const EndpointClient> client_;
};

}  // namespace hijack
