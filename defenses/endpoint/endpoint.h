#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "defenses/address.h"
#include "models/language_model.h"

namespace hijack {

/// An OpenAI-compatible server: llama.cpp, vLLM, or a service. Parameters of the defenses that can use one.
/// Credentials are sent as the header Authorization and stand nowhere else: user:password in the address (cut
/// off it by `hide_login` before anything is named after it), else the key in $HIJACK_API_KEY, else
/// user:password in $HIJACK_API_LOGIN.
struct EndpointParameters {
  std::string endpoint;
  std::string endpoint_model;
  double timeout = 60;
  int64_t retries = 4;
  std::string cache;
  bool insecure = false;

  template <class Visitor>
  void visit(Visitor&& field) {
    field("endpoint", endpoint,
          "OpenAI-compatible server to ask in place of the attacked model, as http://127.0.0.1:8080/v1; to "
          "score prompts (perplexity) it must offer echo with logprobs, as vLLM and llama-cpp-python do and "
          "llama.cpp's own server does not; a key stands in $HIJACK_API_KEY, user:password in "
          "$HIJACK_API_LOGIN");
    field("endpoint_model", endpoint_model, "what that server calls the model");
    field("timeout", timeout, "endpoint: seconds to wait for an answer, 0.1 to 3600");
    field("retries", retries,
          "endpoint: further tries when it is down or busy, waiting twice as long each time");
    field("cache", cache,
          "endpoint: folder of its answers, so that a run repeats offline; empty = $HIJACK_CACHE, else "
          "~/.cache/hijack");
    field("insecure", insecure,
          "endpoint: send key or password over plain http to another machine too, where all on the way can "
          "read it");
  }
  void check() const;
  /// Takes user:password out of the address (address.h). To be called before the parameters name anything.
  void hide_login();
};

/// A language model behind an HTTP endpoint. Answers are kept on disk by what was asked (address without
/// login, model, texts, parameters): what was asked once is answered without network. `generate` asks POST
/// /chat/completions, one query after the other; `prompt_nll` asks POST /completions with echo and logprobs,
/// and scores the bare text, outside any chat template. vLLM and llama-cpp-python's server offer that;
/// llama.cpp's own server and most services score what they write only, and an Error says so. There is no
/// tokenizer. All methods throw Error when the endpoint is down after all tries, refuses, or answers what
/// cannot be understood.
class EndpointModel : public LanguageModel {
 public:
  /// first_wait: seconds before the second try. Throws Error for an address that is none, for a key or
  /// password that would travel over plain http to another machine (unless `insecure`), and where the folder
  /// of the answers is not this user's own: without HOME it is one below the temporary folder.
  explicit EndpointModel(const EndpointParameters& parameters, double first_wait = 0.5);

  const Tokenizer& tokenizer() const override;
  Tensor prompt_nll(const std::string& text) const override;
  std::vector<Generated> generate(std::span<const Query> queries,
                                  const GenerateOptions& options) const override;

 private:
  /// The answer to a request, from the cache or the network.
  nlohmann::json ask(const std::string& path, const nlohmann::json& request,
                     const std::function<void(const nlohmann::json&)>& check_answer) const;
  std::string fetch(const std::string& path, const std::string& body) const;

  EndpointParameters parameters_;
  double first_wait_;
  EndpointAddress address_;  ///< without login
  std::string key_, login_;
  std::filesystem::path cache_;
};

}  // namespace hijack
