#pragma once
#include <cstdint>
#include <string>

namespace hijack {

/// An OpenAI-compatible server: llama.cpp, vLLM, SGLang, `hijack serve`, or a service. Parameters of the
/// defenses that can use one, and of victims and judges behind an API. Credentials are sent as the header
/// Authorization and stand nowhere else: user:password in the address (cut off it by `hide_login` before
/// anything is named after it), else the key in $HIJACK_API_KEY, else user:password in $HIJACK_API_LOGIN.
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
  /// Throws Error for values out of range, and for an address that is none.
  void check() const;
  /// "http://127.0.0.1:8000/v1#MODEL".
  std::string name() const { return endpoint + "#" + endpoint_model; }
  /// Takes user:password out of the address (address.h). To be called before the parameters name anything.
  void hide_login();
};

/// "http://127.0.0.1:8000/v1#MODEL" -> parameters with both, the login hidden; `what` ("--victim") names it
/// in messages. Throws Error for a text without model or an address that is none.
EndpointParameters parse_endpoint(const std::string& text, const std::string& what);

}  // namespace hijack
