#pragma once
#include <filesystem>
#include <memory>
#include <string>

#include "models/language_model.h"

namespace hijack {

/// An OpenAI-compatible server: llama.cpp, vLLM, or a service. Parameters of the defenses that can use one.
struct EndpointParameters {
  std::string endpoint;
  std::string endpoint_model;
  double timeout = 60;
  int64_t retries = 4;
  std::string cache;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("endpoint", endpoint,
          "OpenAI-compatible server to ask in place of the attacked model, as http://127.0.0.1:8080/v1; a "
          "key stands "
          "in $HIJACK_API_KEY");
    field("endpoint_model", endpoint_model, "what that server calls the model");
    field("timeout", timeout, "endpoint: seconds to wait for an answer, 0.1 to 3600");
    field("retries", retries,
          "endpoint: further tries when it is down or busy, waiting twice as long each time");
    field("cache", cache,
          "endpoint: folder of its answers, so that a run repeats offline; empty = $HIJACK_CACHE, else "
          "~/.cache/hijack");
  }
  void check() const;
};

/// A language model behind an HTTP endpoint. Answers are kept on disk by what was asked (address, model,
/// texts, parameters): what was asked once is answered without network. `generate` asks POST
/// /chat/completions, one query after the other; `prompt_nll` asks POST /completions with echo and logprobs,
/// which llama.cpp and vLLM offer and most services do not, and scores the bare text, outside any chat
/// template. There is no tokenizer. All methods throw Error when the endpoint is down after all tries,
/// refuses, or answers what cannot be understood.
class EndpointModel : public LanguageModel {
 public:
  /// first_wait: seconds before the second try. Throws Error for an address that is none, and in builds
  /// without HTTP.
  explicit EndpointModel(const EndpointParameters& parameters, double first_wait = 0.5);

  const Tokenizer& tokenizer() const override;
  Tensor prompt_nll(const std::string& text) const override;
  std::vector<Generated> generate(std::span<const Query> queries,
                                  const GenerateOptions& options) const override;

 private:
  /// The answer to a request, from the cache or the network.
  nlohmann::json ask(const std::string& path, const nlohmann::json& request,
                     void (*check_answer)(const nlohmann::json&)) const;
  std::string fetch(const std::string& path, const std::string& body) const;

  EndpointParameters parameters_;
  double first_wait_;
  std::string server_;  ///< "http://127.0.0.1:8080"
  std::string base_;    ///< "/v1"
  std::filesystem::path cache_;
};

/// The endpoint's model when one is named, else `otherwise`.
std::shared_ptr<const LanguageModel> endpoint_or(const EndpointParameters& parameters,
                                                 std::shared_ptr<const LanguageModel> otherwise);

}  // namespace hijack
